"""`python -m stack up`: the local stack until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from stack.local import FORGIVING_NOVU, LocalStack
from stack.postgres import MIGRATIONS
from stack.processes import PartFailed

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def stack() -> None:
    """Temporal, PostgreSQL with a Supabase edge, and a Novu sink, on this machine."""


@app.command()
def up(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of KEY=value lines.")] = False,
    state_directory: Annotated[
        Path | None, typer.Option(help="Keep data and logs here; otherwise they go with the stack.")
    ] = None,
    migrations: Annotated[Path, typer.Option(help="Folder of Supabase migrations to apply.")] = MIGRATIONS,
    forgiving_novu: Annotated[
        bool, typer.Option("--forgiving-novu", help="A Novu that makes workflows by itself, and knows everybody.")
    ] = False,
) -> None:
    """Start everything, print how to reach it once all of it answers, and run until Ctrl-C or SIGTERM.

    The lines are shell-quoted: `eval` or an env file takes them. Exit code 0 after a stop, 1 when a part did not start.
    """
    try:
        local = LocalStack(
            state_directory, migrations=migrations, novu_settings=FORGIVING_NOVU if forgiving_novu else {}
        )
        asyncio.run(_run_until_signalled(local, as_json))
    except asyncio.CancelledError:
        return
    except PartFailed as failure:
        print(failure, file=sys.stderr)  # noqa: T201
        raise typer.Exit(1) from None


def environment_lines(environment: Mapping[str, str]) -> str:
    """`KEY=value` lines, the values quoted for a shell."""
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())


def json_object(environment: Mapping[str, str]) -> str:
    """One JSON object on one line."""
    return json.dumps(dict(environment))


async def _run_until_signalled(stack: LocalStack, as_json: bool) -> None:
    _cancel_when_signalled()
    async with stack:
        show = json_object if as_json else environment_lines
        print(show(stack.environment), flush=True)  # noqa: T201
        await asyncio.Event().wait()


def _cancel_when_signalled() -> None:
    """Cancel the calling task at the first signal, whatever it waits for; more signals do not disturb its stop."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def cancel() -> None:
        for number in numbers:
            loop.add_signal_handler(number, lambda: None)
        if task is not None:
            task.cancel()

    for number in numbers:
        loop.add_signal_handler(number, cancel)


if __name__ == "__main__":
    app()
