"""`python -m stack.novu_sink --port N`: the Novu sink, until it is told to stop."""

from __future__ import annotations

import argparse
import gc
import os
import secrets
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from stack.novu_sink.account import Account
from stack.novu_sink.application import create_application
from stack.novu_sink.control.record_file import RecordFile
from stack.novu_sink.control.settings import Settings

_KEY_VARIABLE = "NOVU_SECRET_KEY"
_PRODUCTION_KEY_VARIABLE = "NOVU_PRODUCTION_SECRET_KEY"
_DRAIN_SECONDS = 1
_COLLECT_AFTER_OBJECTS = 50_000
_KEEP_ALIVE_SECONDS = 75
"""Longer than any client keeps an idle connection: a server that closes first makes requests fail."""


def main() -> int:
    """Serve on a loopback port. Exit code 2 when a setting is missing or the record file cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m stack.novu_sink", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep all calls in FILE, and start from them")
    parser.add_argument("--settings", default="{}", metavar="JSON", help="settings that differ from the defaults")
    options = parser.parse_args()
    secret_key = os.environ.get(_KEY_VARIABLE)
    if not secret_key:
        sys.stderr.write(f"novu sink: missing in the environment: {_KEY_VARIABLE}\n")
        return 2
    with ExitStack() as open_files:
        try:
            settings = Settings.model_validate_json(options.settings)
        except ValidationError as error:
            sys.stderr.write(f"novu sink: --settings: {error}\n")
            return 2
        production_key = os.environ.get(_PRODUCTION_KEY_VARIABLE) or secrets.token_hex(16)
        account = Account(secret_key, production_key, settings)
        try:
            record_file = open_files.enter_context(closing(RecordFile(options.record))) if options.record else None
            application = create_application(account, record_file)
        except (OSError, ValueError, LookupError) as error:
            sys.stderr.write(f"novu sink: cannot use the record file: {error}\n")
            return 2
        # What comes in stays: looking through all of it again and again would take a fifth of the time.
        gc.set_threshold(_COLLECT_AFTER_OBJECTS, 50, 1000)
        uvicorn.run(
            application,
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
