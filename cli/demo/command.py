"""The demo's course: start everything, send the load, wait, judge, show; or keep it running."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import asyncpg
import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.demo.kinds import Ledger
from cli.demo.load import CONFIGURED, DemoLoad
from cli.demo.sink import read_calls
from cli.demo.table import show
from cli.demo.verdict import count_settled, judge, read_states, unexpected_calls
from stack.local import LocalStack
from stack.processes import ChildProcess

SETTLED_WITHIN_SECONDS = 30.0
QUIET_SECONDS = 1.0
"""How long to go on looking after the last row has settled, for calls that should not come."""

DAEMON_SETTINGS = {"SUBSCRIPTION_HEALTH_CHECK_INTERVAL": "5000"}


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep everything running afterwards, until Ctrl-C.")] = False,
) -> None:
    """Start the local stack and the daemon, send a mixed load, and show what was expected and what was seen.

    Exits 0 only if every row ended as expected and Novu was called exactly as often as it should be.
    """
    console = Console()
    try:
        holds = asyncio.run(_run(console, keep))
    except KeyboardInterrupt:
        holds = True
    raise typer.Exit(0 if holds else 1)


async def _run(console: Console, keep: bool) -> bool:
    with tempfile.TemporaryDirectory(prefix="xnovu-demo-") as name:
        directory = Path(name)
        console.print("Starting Temporal, PostgreSQL, the Supabase edge and the Novu sink ...")
        async with LocalStack(directory) as stack, _daemon(stack, directory):
            holds = await _send_and_judge(console, stack)
            if keep:
                await _keep_running(console, stack)
        return holds


@asynccontextmanager
async def _daemon(stack: LocalStack, directory: Path) -> AsyncIterator[None]:
    daemon = ChildProcess("daemon", directory / "daemon.log")
    environment = {**stack.environment, "DAEMON_ENTERPRISE_IDS": ",".join(CONFIGURED), **DAEMON_SETTINGS}
    await daemon.start([sys.executable, "-m", "cli", "daemon", "start"], environment)
    try:
        yield
    finally:
        await daemon.stop(within_seconds=15)


async def _send_and_judge(console: Console, stack: LocalStack) -> bool:
    ledger = Ledger()
    connection = await asyncpg.connect(stack.environment["XNOVU_STACK_POSTGRES_URL"])
    try:
        async with httpx.AsyncClient(timeout=10) as http:

            async def cut_websockets() -> None:
                (await http.post(f"{stack.edge.url}/_faults/drop", json={})).raise_for_status()

            load = DemoLoad(connection, ledger, cut_websockets)
            await load.seed()
            await _send_and_watch(console, stack, load, ledger)
            states = await read_states(connection, ledger)
            calls = await read_calls(http, stack.novu_sink.url)
    finally:
        await connection.close()
    return show(console, stack.environment, judge(ledger, states, calls), unexpected_calls(ledger, calls))


async def _send_and_watch(console: Console, stack: LocalStack, load: DemoLoad, ledger: Ledger) -> None:
    """Send the load with live progress; returns when every row has settled, or time is up."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    watcher = await asyncpg.connect(stack.environment["XNOVU_STACK_POSTGRES_URL"])
    try:
        with Progress(*columns, console=console) as progress:
            written = progress.add_task("written", total=None)
            settled = progress.add_task("settled", total=None)
            sending = asyncio.create_task(load.send())
            deadline = time.monotonic() + SETTLED_WITHIN_SECONDS
            while time.monotonic() < deadline:
                total = len(ledger.rows)
                done = count_settled(ledger, await read_states(watcher, ledger))
                finished = sending.done()
                progress.update(written, completed=total, total=total if finished else None)
                progress.update(settled, completed=done, total=total if finished else None)
                if finished and done == total == len(ledger.rows):
                    break
                await asyncio.sleep(0.2)
            await sending
        await asyncio.sleep(QUIET_SECONDS)
    finally:
        await watcher.close()


async def _keep_running(console: Console, stack: LocalStack) -> None:
    for name, value in stack.environment.items():
        console.print(f"{name}={value}", markup=False, highlight=False, soft_wrap=True)
    console.print("Running until Ctrl-C. Insert rows, open the inbox, look into Temporal.")
    await asyncio.Event().wait()
