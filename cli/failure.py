"""How a command says that it could not do its work: the cause and a hint on stderr, and an exit code that is true."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from cli.terminal import is_object_owed, say, told_instead
from shared.health import remedies
from shared.ports import StoreUnavailable
from shared.settings import SettingsError

EXIT_NOTHING_KNOWN = 2
"""Wrong usage, wrong settings, no database: the question could not be asked at all."""


def exit_with_hint(message: str, hint: str, code: int) -> NoReturn:
    """Leave with this code; `hint` is a sentence that says what to do.

    A program that asked for --json and has had no object gets it as one on stdout, too, on one line.
    """
    pay_object(message, hint, code)
    say(f"{message}\nHint: {hint}", err=True)
    raise typer.Exit(code)


def pay_object(message: str, hint: str | None, code: int) -> None:
    """Print the object that tells a failure, if one is owed."""
    if is_object_owed():
        say(json.dumps({"error": {"message": message, "hint": hint, "exit_code": code}}))


def pay_what_was_told(code: int) -> None:
    """The same for a command that fails and has told its reasons on stderr alone."""
    if code and is_object_owed():
        message, _, hint = told_instead().partition("\nHint: ")
        pay_object(message or "It failed, and its messages on standard error say why.", hint or None, code)


@contextmanager
def failures_named(code: int = EXIT_NOTHING_KNOWN) -> Iterator[None]:
    """Around what reads settings and asks the database: their failures become messages, and this exit code."""
    try:
        yield
    except SettingsError as error:
        exit_with_hint(str(error), "docs/configuration.md lists every variable.", code)
    except StoreUnavailable as error:
        otherwise = (
            "xnovu doctor says why." if error.code else "is NEXT_PUBLIC_SUPABASE_URL right? xnovu doctor says why."
        )
        hint = remedies.BY_DATABASE_CODE.get(error.code or "", otherwise)
        exit_with_hint(f"The database did not answer: {error}", hint, code)
