"""What makes a process believe that it is an instance of a Cloud Run service: variables, and a metadata server."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shared.telemetry import google_cloud


class _Metadata(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path == "/computeMetadata/v1/project/project-id" and self.headers["Metadata-Flavor"] == "Google"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b"a-project" if known else b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Not to the terminal."""


@contextmanager
def instance_of_a_service() -> Iterator[Mapping[str, str]]:
    """The environment of one, without telemetry, for as long as the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Metadata)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield {
            "K_SERVICE": "function",
            "K_REVISION": "function-00001",
            "K_CONFIGURATION": "function",
            "GCE_METADATA_HOST": f"127.0.0.1:{server.server_port}",
            "OTEL_SDK_DISABLED": "true",
        }
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
        google_cloud.project_id.cache_clear()
