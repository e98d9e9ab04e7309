"""`xnovu daemon start`: listener and worker in one process, for one machine."""

import asyncio
from functools import partial
from typing import Annotated, Literal

import typer

from listener import bootstrap as listener
from shared.process_lifecycle import run_process
from shared.settings import DaemonSettings
from worker import bootstrap as worker


def start(
    enterprises: Annotated[
        str | None, typer.Option(help="Comma-separated enterprise ids; wins over DAEMON_ENTERPRISE_IDS.")
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warn", "error"] | None, typer.Option(help="Wins over DAEMON_LOG_LEVEL.")
    ] = None,
) -> None:
    """Run in the foreground until SIGTERM or Ctrl-C, then drain and exit 0."""
    load = partial(DaemonSettings.load, daemon_enterprise_ids=enterprises, daemon_log_level=log_level)
    run_process("daemon", _run, load)


async def _run(settings: DaemonSettings, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as parts:
        parts.create_task(listener.run(settings, stop), name="listener")
        parts.create_task(worker.run(settings, stop), name="worker")
