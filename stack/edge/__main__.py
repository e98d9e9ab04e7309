"""`python -m stack.edge --port N`: the Supabase-compatible edge, until it is told to stop."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import uvicorn

from stack.edge.application import create_application
from stack.edge.realtime.settings import RealtimeSettings, SettingRefused
from stack.edge.realtime.wire import UVICORN_OPTIONS, RealtimeWire

_REQUIRED = ("EDGE_DATABASE_URL", "EDGE_JWT_SECRET")
_DRAIN_SECONDS = 5


def main() -> int:
    """Serve on a loopback port. Exit code 2 when a setting is missing or wrong.

    In the environment: EDGE_DATABASE_URL (a superuser's), EDGE_JWT_SECRET, and those of RealtimeSettings.
    """
    parser = argparse.ArgumentParser(prog="python -m stack.edge", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    options = parser.parse_args()
    missing = [name for name in _REQUIRED if not os.environ.get(name)]
    if missing:
        sys.stderr.write(f"edge: missing in the environment: {', '.join(missing)}\n")
        return 2
    try:
        realtime_settings = RealtimeSettings.from_environment(os.environ)
    except SettingRefused as error:
        sys.stderr.write(f"edge: {error}\n")
        return 2
    websocket_options: dict[str, Any] = {**UVICORN_OPTIONS}
    uvicorn.run(
        create_application(os.environ["EDGE_DATABASE_URL"], os.environ["EDGE_JWT_SECRET"], realtime_settings),
        host=options.host,
        port=options.port,
        loop="uvloop",
        http="httptools",
        ws=RealtimeWire,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        **websocket_options,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
