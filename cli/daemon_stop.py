"""`xnovu daemon stop`: the recorded daemon drains and ends; no other process is ever touched."""

import json
from typing import Annotated, NoReturn

import typer

from cli.daemon_launch import Outcome, stop
from cli.daemon_record import DaemonBook, DaemonRecord
from cli.failure import exit_with_hint
from shared.process_lifecycle import EXIT_FAILED

STOPS_WITHIN_SECONDS = 30.0

Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the drain.")]


def stop_daemon(
    timeout: Timeout = STOPS_WITHIN_SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="One object: result, pid.")] = False,
) -> None:
    """Stop this user's daemon: it takes no new work, finishes or hands back what it holds, and ends.

    Exit 0 when it is gone, or was not running; 1 if it is still draining after the timeout.
    """
    book = DaemonBook()
    record = book.running()
    outcome = stop(book, timeout_seconds=timeout)
    if as_json:
        typer.echo(json.dumps({"result": outcome, "pid": record and record.pid}, indent=2))
    elif outcome is not Outcome.TIMEOUT:
        typer.echo(outcome)
    if outcome is Outcome.TIMEOUT:
        exit_still_draining(record, timeout)


def exit_still_draining(record: DaemonRecord | None, timeout: float) -> NoReturn:
    """Leave with a hint: we end nothing by force."""
    process = f"Process {record.pid}" if record else "The daemon"
    hint = "wait, and repeat the command; what a killed daemon held is taken up again once its claims lapse."
    exit_with_hint(f"{process} still drains after {timeout:g} s.", hint, EXIT_FAILED)
