"""How a command says that it could not do its work: the cause and a hint on stderr, and an exit code that is true."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from cli.terminal import is_object_owed, say
from shared.ports import StoreUnavailable
from shared.settings import SettingsError

EXIT_NOTHING_KNOWN = 2
"""Wrong usage, wrong settings, no database: the question could not be asked at all."""


def exit_with_hint(message: str, hint: str, code: int) -> NoReturn:
    """Leave with this code; `hint` is a sentence that says what to do.

    A program that asked for --json and has had no object gets it as one on stdout, too, on one line.
    """
    if is_object_owed():
        say(json.dumps({"error": {"message": message, "hint": hint, "exit_code": code}}))
    say(f"{message}\nHint: {hint}", err=True)
    raise typer.Exit(code)


@contextmanager
def failures_named() -> Iterator[None]:
    """Around what reads settings and asks the database: their failures become messages, and exit code 2."""
    try:
        yield
    except SettingsError as error:
        exit_with_hint(str(error), "docs/configuration.md lists every variable.", EXIT_NOTHING_KNOWN)
    except StoreUnavailable as error:
        exit_with_hint(f"The database did not answer: {error}", "xnovu doctor says why.", EXIT_NOTHING_KNOWN)
