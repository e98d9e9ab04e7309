"""Before something is changed: whether it is wanted."""

import sys

import typer

from cli.failure import exit_with_hint
from cli.terminal import say

EXIT_NOT_WANTED = 1


def ask(question: str, *, yes: bool, as_json: bool) -> None:
    """Go on only if it is wanted: by --yes, or by who sits there."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        exit_with_hint("Nothing was changed: nobody can be asked.", "--yes does it without asking.", EXIT_NOT_WANTED)
    if not typer.confirm(question):
        say("Nothing was changed.")
        raise typer.Exit(EXIT_NOT_WANTED)
