"""`xnovu daemon health`: what the running daemon says of its own health."""

import json
from typing import Annotated

import httpx
import typer

from cli import patience
from cli.daemon_record import DaemonBook
from cli.failure import exit_with_hint
from cli.health_lines import health_lines
from cli.terminal import say, say_line
from shared.health.condition import Condition

EXIT_UNHEALTHY = 1
EXIT_NOT_RUNNING = 3


def health(
    as_json: Annotated[bool, typer.Option("--json", help="The object of GET /health, as it is.")] = False,
) -> None:
    """Ask this user's daemon how it is, why, and how fast it goes.

    Exit 0 for healthy or degraded, 1 for unhealthy, 3 if none answers.
    """
    record = DaemonBook().running()
    if record is None:
        exit_with_hint("No daemon of this user is running.", "xnovu daemon start", EXIT_NOT_RUNNING)
    url = f"{record.health_url}/{'health' if as_json else 'status'}"
    try:
        answer = httpx.get(url, timeout=patience.ANSWERS_WITHIN_SECONDS, headers={"Accept": "application/json"})
        content = answer.json()
    except (httpx.TransportError, ValueError) as error:
        hint = f"it may just be starting or stopping; its log says more: {record.log_file or 'standard output'}"
        exit_with_hint(
            f"Process {record.pid} runs, but {url} does not answer: {type(error).__name__}.", hint, EXIT_NOT_RUNNING
        )
    if as_json:
        say(json.dumps(content, indent=2))
    else:
        for line in health_lines(content):
            say_line(line)
    raise typer.Exit(EXIT_UNHEALTHY if content["status"] == Condition.UNHEALTHY else 0)
