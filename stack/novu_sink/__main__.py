"""`python -m stack.novu_sink --port N`: the Novu sink, until it is told to stop."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import uvicorn

from stack.novu_sink.application import create_application
from stack.novu_sink.journal import Journal
from stack.novu_sink.record_file import RecordFile

_KEY_VARIABLE = "NOVU_SECRET_KEY"
_DRAIN_SECONDS = 1
_KEEP_ALIVE_SECONDS = 75
"""Longer than any client keeps an idle connection: a server that closes first makes requests fail."""


def main() -> int:
    """Serve on a loopback port. Exit code 2 when a setting is missing or the record file cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m stack.novu_sink", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep all calls in FILE, and start from them")
    options = parser.parse_args()
    secret_key = os.environ.get(_KEY_VARIABLE)
    if not secret_key:
        sys.stderr.write(f"novu sink: missing in the environment: {_KEY_VARIABLE}\n")
        return 2
    with ExitStack() as open_files:
        try:
            record_file = open_files.enter_context(closing(RecordFile(options.record))) if options.record else None
            journal = Journal(record_file)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"novu sink: cannot use the record file: {error}\n")
            return 2
        uvicorn.run(
            create_application(secret_key, journal),
            host=options.host,
            port=options.port,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_level="warning",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
