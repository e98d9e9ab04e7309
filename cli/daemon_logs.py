"""`xnovu daemon logs`: what the daemon in the background has written, and goes on writing."""

import os
import sys
from typing import Annotated

import typer

from cli.daemon_log import OLD_ONES
from cli.daemon_record import DaemonBook
from cli.failure import exit_with_hint
from cli.log_lines import LineForPeople, follow, last_lines
from cli.terminal import say

EXIT_NO_LOG = 1

MOST_LINES = 100_000

_COLOURS = {"warn": "yellow", "error": "red"}


def logs(
    follow_it: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as lines come, until the daemon ends.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=MOST_LINES, help="The last so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="The lines as they are: JSON objects.")] = False,
) -> None:
    """Print the log of this user's daemon, also of one that has ended: lines for people, and JSON where it is piped.

    Exit 0 printed; 1 there is no log: no daemon of this user has run in the background.
    """
    book = DaemonBook()
    try:
        log = book.open_log_to_read()
    except FileNotFoundError:
        record = book.running()
        where = "it writes where it was started" if record else "xnovu daemon start --detach makes one"
        exit_with_hint(f"There is no {book.log_file}.", f"{where}.", EXIT_NO_LOG)
    on_a_terminal = sys.stdout.isatty()
    people = LineForPeople()

    def show(line: bytes) -> None:
        if as_json or not on_a_terminal:
            say(line.decode(errors="replace"))
        else:
            text, level = people.read(line)
            say(text, colour=None if "NO_COLOR" in os.environ else _COLOURS.get(level))

    try:
        found, place = last_lines(log, lines)
        for line in (*_older(book, lines - len(found)), *found):
            show(line)
        if follow_it:
            for line in follow(log, place, book.is_held):
                show(line)
    except KeyboardInterrupt:
        raise typer.Exit from None
    finally:
        os.close(log)


def _older(book: DaemonBook, count: int) -> list[bytes]:
    """The last so many lines of the logs before this one."""
    found: list[bytes] = []
    for ago in range(1, OLD_ONES + 1):
        if len(found) >= count:
            break
        try:
            log = book.open_log_to_read(ago)
        except FileNotFoundError:
            break
        try:
            found = [*last_lines(log, count - len(found))[0], *found]
        finally:
            os.close(log)
    return found
