"""What `xnovu daemon status` says of the feed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import cast

from cli.daemon_record import DaemonRecord
from cli.feed_report import feed_lines, report_feed
from shared.health.assessment import report_status
from tests.unit.health.builders import NOW, a_feed_in_trouble


class _Record:
    def __init__(self, port: int) -> None:
        self.health_url = f"http://127.0.0.1:{port}"


@contextmanager
def a_daemon_that_answers(body: bytes) -> Iterator[DaemonRecord]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quietly."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield cast(DaemonRecord, _Record(server.server_port))
        server.shutdown()
        serving.join()


def test_it_says_who_is_heard_since_when_and_what_is_in_the_way() -> None:
    body = json.dumps(report_status(a_feed_in_trouble(), NOW).to_json()).encode()

    with a_daemon_that_answers(body) as daemon:
        lines = list(feed_lines(report_feed(daemon)))

    assert lines == [
        "feed by broadcast: 1 of 2 enterprises heard, last proof of life: 2026-03-02T08:59:30.000Z, reconnects: 3",
        "feed, last error: no beat of the canary came back for 6 s",
        "feed, to be mended: notify.ent_notification is not published; mend it with: alter publication",
    ]


def test_a_daemon_that_answers_nonsense_does_not_say() -> None:
    for body in (b"", b"[]", b'{"feed": 7}'):
        with a_daemon_that_answers(body) as daemon:
            assert report_feed(daemon) is None
    assert report_feed(cast(DaemonRecord, _Record(1))) is None
    assert list(feed_lines(None)) == ["feed: the daemon does not say; its log may"]
