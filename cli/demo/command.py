"""The demo's course: start everything, send the load, wait, judge, show; or keep it running."""

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import asyncpg
import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.demo.kinds import Ledger
from cli.demo.load import CONFIGURED, DemoLoad
from cli.demo.people import count_open_accounts, judge_people, read_accounts, read_outcomes
from cli.demo.sink import read_calls
from cli.demo.table import show, show_people
from cli.demo.verdict import count_settled, judge, read_states, unexpected_calls
from cli.dev_banner import Place, lines
from cli.dev_stack import ENTERPRISES, for_a_shell, seed_samples
from cli.novu.sample import apply_to_stack
from cli.terminal import say
from stack.local import LocalStack
from stack.processes import ChildProcess, PartFailed, free_port

READY_WITHIN_SECONDS = 20.0
SETTLED_WITHIN_SECONDS = 30.0
ACCOUNTED_WITHIN_SECONDS = 30.0
QUIET_SECONDS = 1.0
"""How long to go on looking after the last row has settled, for calls that should not come."""

DAEMON_SETTINGS = {
    "SUBSCRIPTION_HEALTH_CHECK_INTERVAL": "5000",
    "NOVU_DELIVERY": "activity",
    "NOVU_ACTIVITY_REQUESTS_PER_SECOND": "100",
}


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep everything running afterwards, until Ctrl-C.")] = False,
) -> None:
    """Start the local stack and the daemon, send a mixed load, and show what was expected and what was seen.

    Exits 0 only if every row ended as expected and Novu was called exactly as often as it should be.
    """
    console = Console()
    try:
        holds = asyncio.run(_run(console, keep))
    except (KeyboardInterrupt, asyncio.CancelledError):
        holds = True
    except PartFailed as error:
        console.print(str(error), markup=False)
        holds = False
    raise typer.Exit(0 if holds else 1)


async def _run(console: Console, keep: bool) -> bool:
    _end_when_told_to()
    with tempfile.TemporaryDirectory(prefix="xnovu-demo-") as name:
        directory = Path(name)
        console.print("Starting Temporal, PostgreSQL, the Supabase edge and the Novu sink ...")
        async with LocalStack(directory) as stack, _database(stack) as connection:
            ledger = Ledger()
            load = DemoLoad(connection, ledger, partial(_cut_websockets, stack))
            await load.seed()
            await _make_workflows(stack, load)
            console.print("Starting the daemon ...")
            port = free_port()
            async with _daemon(stack, directory, port):
                await _send_and_watch(console, stack, load, ledger)
                holds = await _judge(console, stack, connection, ledger)
                if keep:
                    await _keep_running(stack, directory, port)
        return holds


def _end_when_told_to() -> None:
    """As by Ctrl-C: everything is stopped, and what is on the disk removed. Telling it twice does not hurry it."""
    loop, demo = asyncio.get_running_loop(), asyncio.current_task()
    assert demo is not None
    signals = (signal.SIGTERM, signal.SIGHUP)

    def end() -> None:
        for each in signals:
            loop.add_signal_handler(each, lambda: None)
        demo.cancel()

    for each in signals:
        loop.add_signal_handler(each, end)


@asynccontextmanager
async def _database(stack: LocalStack) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(stack.environment["XNOVU_STACK_POSTGRES_URL"])
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _daemon(stack: LocalStack, directory: Path, port: int) -> AsyncIterator[None]:
    """The daemon, from the moment its log says that every enterprise is subscribed."""
    daemon = ChildProcess("daemon", directory / "daemon.log")
    environment = {
        **stack.environment,
        "DAEMON_ENTERPRISE_IDS": ",".join(CONFIGURED),
        "DAEMON_HEALTH_PORT": str(port),
        "TEMPORAL_UI_URL": stack.environment["XNOVU_STACK_TEMPORAL_UI_URL"],
        "INBOX_URL": stack.environment["XNOVU_STACK_INBOX_URL"],
        "XDG_STATE_HOME": str(directory),  # another daemon than the user's own
        **DAEMON_SETTINGS,
    }

    async def is_subscribed() -> bool:
        log = await asyncio.to_thread(daemon.log_file.read_text)
        return log.count('"subscription_subscribed"') >= len(CONFIGURED)

    try:
        await daemon.start([sys.executable, "-m", "cli", "daemon", "start", "--foreground"], environment)
        await daemon.wait_until_ready(is_subscribed, READY_WITHIN_SECONDS)
        yield
    finally:
        await daemon.stop(within_seconds=15)


async def _make_workflows(stack: LocalStack, load: DemoLoad) -> None:
    """STATIC ones as their owners would in Novu's dashboard, DYNAMIC ones by `xnovu novu apply`."""
    async with httpx.AsyncClient() as http:
        url = f"{stack.novu_sink.url}/_sink/workflows"
        (await http.post(url, json={"make": load.static_workflows})).raise_for_status()
    await apply_to_stack(stack.environment)


async def _cut_websockets(stack: LocalStack) -> None:
    async with httpx.AsyncClient() as http:
        (await http.post(f"{stack.edge.url}/_faults/drop", json={})).raise_for_status()


async def _judge(console: Console, stack: LocalStack, connection: asyncpg.Connection, ledger: Ledger) -> bool:
    await _wait_for_accounts(console, connection)
    states = await read_states(connection, ledger)
    async with httpx.AsyncClient() as http:
        calls = await read_calls(http, stack.novu_sink.url)
        outcomes = await read_outcomes(http, stack.novu_sink.url)
    rows_hold = show(console, judge(ledger, states, calls), unexpected_calls(ledger, states, calls))
    people_hold = show_people(console, judge_people(ledger, outcomes, await read_accounts(connection)))
    return rows_hold and people_hold


async def _wait_for_accounts(console: Console, connection: asyncpg.Connection) -> None:
    """Novu tells what became of a notification some seconds after it has taken it."""
    console.print("Asking Novu what became of them ...")
    deadline = time.monotonic() + ACCOUNTED_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if not await count_open_accounts(connection):
            return
        await asyncio.sleep(0.2)


async def _send_and_watch(console: Console, stack: LocalStack, load: DemoLoad, ledger: Ledger) -> None:
    """Send the load with live progress; returns when every row has settled, or time is up."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with _database(stack) as watcher:
        with Progress(*columns, console=console) as progress:
            written = progress.add_task("written", total=None)
            settled = progress.add_task("settled", total=None)
            sending = asyncio.create_task(load.send())
            deadline = time.monotonic() + SETTLED_WITHIN_SECONDS
            while time.monotonic() < deadline:
                all_written = sending.done()
                rows = len(ledger.rows)
                done = count_settled(ledger, await read_states(watcher, ledger))
                progress.update(written, completed=rows, total=rows if all_written else None)
                progress.update(settled, completed=done, total=rows if all_written else None)
                if all_written and done == rows:
                    break
                await asyncio.sleep(0.2)
            await sending
        await asyncio.sleep(QUIET_SECONDS)


async def _keep_running(stack: LocalStack, directory: Path, port: int) -> None:
    """With samples, as `xnovu daemon start --dev` has them, and a settings file for commands in other shells."""
    health_url = f"http://127.0.0.1:{port}"
    environment = {**stack.environment, ENTERPRISES: ",".join(CONFIGURED), "DAEMON_HEALTH_PORT": str(port)}
    await seed_samples(environment, CONFIGURED, f"{health_url}/trace?id=")
    settings = directory / "demo.env"
    settings.write_text(for_a_shell(environment))
    data, log = f"{directory}  is removed at the end", str(directory / "daemon.log")
    say("\n".join(lines(Place(environment, health_url, settings, data, log, "Ctrl-C"))))
    await asyncio.Event().wait()
