"""`xnovu daemon stop`: the recorded daemon drains and ends; no other process is ever touched."""

import json
from typing import Annotated, NoReturn

import typer

from cli.daemon_launch import Outcome, stop
from cli.daemon_record import DaemonBook, DaemonRecord
from cli.failure import exit_with_hint
from cli.terminal import say
from shared.process_exit import EXIT_FAILED

STOPS_WITHIN_SECONDS = 30.0

Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the drain.")]


def stop_daemon(
    timeout: Timeout = STOPS_WITHIN_SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="One object: result, pid.")] = False,
) -> None:
    """Stop this user's daemon: it takes no new work, finishes or hands back what it holds, and ends.

    Exit 0 when it is gone, or was not running; 1 if it is still draining after the timeout, or nobody can tell which
    process it is.
    """
    book = DaemonBook()
    record = book.running()
    outcome = stop(book, timeout_seconds=timeout)
    if as_json:
        say(json.dumps({"result": outcome, "pid": record and record.pid}, indent=2))
    elif outcome in (Outcome.STOPPED, Outcome.ALREADY_STOPPED):
        say(outcome)
    exit_if_it_goes_on(outcome, book, record, timeout)


def exit_if_it_goes_on(outcome: Outcome, book: DaemonBook, record: DaemonRecord | None, timeout: float) -> None:
    """Leave with a hint if the daemon has not ended: we end nothing by force, and nothing by guessing."""
    if outcome is Outcome.UNKNOWN:
        exit_with_hint(
            f"A daemon runs, but its record {book.record_file} cannot be read, or names no such process of yours.",
            f"`fuser {book.lock_file}` names the process; `kill -TERM` has it drain.",
            EXIT_FAILED,
        )
    if outcome is Outcome.TIMEOUT:
        _exit_still_draining(record, timeout)


def _exit_still_draining(record: DaemonRecord | None, timeout: float) -> NoReturn:
    process = f"Process {record.pid}" if record else "The daemon"
    hint = "wait, and repeat the command; what a killed daemon held is taken up again once its claims lapse."
    exit_with_hint(f"{process} still drains after {timeout:g} s.", hint, EXIT_FAILED)
