"""gunicorn's worker for the functions: uvicorn with the bounds that every HTTP server of ours has."""

from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]

from shared.bounded_http import MOST_HEAD_BYTES, BoundedProtocol


class FunctionProtocol(BoundedProtocol):
    """As many connections as Cloud Run opens to an instance, and more."""

    most_connections: ClassVar[int] = 256


class FunctionWorker(UvicornWorker):  # type: ignore[misc]
    """Serves this process's function."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "asyncio",
        "http": FunctionProtocol,
        "ws": "none",
        "h11_max_incomplete_event_size": MOST_HEAD_BYTES,
    }
