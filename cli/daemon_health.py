"""`xnovu daemon health`: what the running daemon says of its own health."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import httpx
import typer

from cli.daemon_record import DaemonBook
from cli.failure import exit_with_hint

EXIT_UNHEALTHY = 1
EXIT_NOT_RUNNING = 3
ANSWERS_WITHIN_SECONDS = 5.0


def health(
    as_json: Annotated[bool, typer.Option("--json", help="The object of GET /health, as it is.")] = False,
) -> None:
    """Ask this user's daemon for its health. Exit 0 for healthy or degraded, 1 for unhealthy, 3 if none answers."""
    record = DaemonBook().running()
    if record is None:
        exit_with_hint("No daemon of this user is running.", "xnovu daemon start", EXIT_NOT_RUNNING)
    url = f"{record.health_url}/health"
    try:
        answer = httpx.get(url, timeout=ANSWERS_WITHIN_SECONDS, headers={"Accept": "application/json"})
        content = answer.json()
    except (httpx.TransportError, ValueError) as error:
        hint = f"it may just be starting or stopping; its log says more: {record.log_file or 'standard output'}"
        exit_with_hint(
            f"Process {record.pid} runs, but {url} does not answer: {type(error).__name__}.", hint, EXIT_NOT_RUNNING
        )
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        for line in _lines(content):
            typer.echo(line)
    raise typer.Exit(0 if answer.status_code == httpx.codes.OK else EXIT_UNHEALTHY)


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    """A line for each part; within, in the order of the answer."""
    yield f"{content['status']}, up for {content['uptime']} s"
    for name, value in content["components"].items():
        said = ", ".join(f"{count} {what}" for what, count in value.items()) if isinstance(value, dict) else value
        yield f"{name}: {said}"
    for name, value in content["temporal_status"].items():
        yield f"temporal {name}: {value}"
    for enterprise_id, value in content["enterprise_status"].items():
        yield f"enterprise {enterprise_id}: {value}"
