"""docs/runbook.md shows what its commands really say: each scene is played on a running system, and compared.

A scene is a console block under a comment that names it. Numbers, times and process ids are the one thing that may
differ between the document and the run.
"""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port
from stack.sample_data import sample_payload
from tests.e2e import rows
from tests.e2e.program import Program
from tests.e2e.system import SHORT_TIMES, System, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "runbook.md"
BLOCK = re.compile(r"^<!-- scene: (\w+) -->\n+```console\n\$ xnovu ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWS_WITHIN_SECONDS = 120.0

_HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@dataclass(frozen=True)
class Block:
    """What the document shows."""

    command: str
    output: str


@dataclass(frozen=True)
class Machine:
    """A system whose daemon runs, and the shell of whoever operates it."""

    system: System
    environment: Mapping[str, str]

    async def says(self, command: str, **changes: str) -> str:
        """All that a command prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *shlex.split(command)),
            env={**self.environment, **changes},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return output.decode()

    async def insert(self, enterprise_id: str, workflow_id: int, **columns: object) -> int:
        """One row for e-mail; its id."""
        row = {"notification_workflow_id": workflow_id, "channels": ["EMAIL"], "payload": sample_payload(1), **columns}
        [notification_id] = await rows.insert(self.system, enterprise_id, row)
        return notification_id


@dataclass(frozen=True)
class Act:
    """What the scene wants typed: the id of its row, and other settings."""

    notification_id: int | None = None
    changes: Mapping[str, str] = field(default_factory=dict)


def blocks() -> dict[str, Block]:
    """Those of the document, by scene."""
    return {scene: Block(command, output) for scene, command, output in BLOCK.findall(DOCUMENT.read_text())}


def masked(text: str) -> list[str]:
    """The lines without what differs from run to run."""
    without_instants = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "INSTANT", text)
    without_keys = re.sub(r"xnovu\.[0-9a-f]{32}", "xnovu.KEY", without_instants)
    without_numbers = re.sub(r"\d+([.:]\d+)*", "0", without_keys)
    return [re.sub(r" +", " ", line).rstrip() for line in without_numbers.rstrip().splitlines()]


@asynccontextmanager
async def does_not_start(machine: Machine) -> AsyncIterator[Act]:
    """Three settings are wrong."""
    changes = {"TEMPORAL_ADDRESS": "temporal.invalid:7233", "NOVU_SECRET_KEY": "of-another", "DAEMON_HEALTH_PORT": "x"}
    yield Act(changes=changes)


@asynccontextmanager
async def subscriptions_fail(machine: Machine) -> AsyncIterator[Act]:
    """The server takes no subscription of anybody."""
    reason = "RealtimeDisabledForTenant: Realtime disabled for tenant"
    await machine.system.edge_fault("refuse_joins", reason=reason, delay_seconds=0.1)
    await machine.system.edge_fault("close")
    try:
        yield Act()
    finally:
        (await machine.system.edge.delete("/_faults")).raise_for_status()


@asynccontextmanager
async def publication_lacks_a_table(machine: Machine) -> AsyncIterator[Act]:
    """Somebody has made the publication anew, and left one table out."""
    await rows.execute(machine.system, "alter publication supabase_realtime drop table notify.doorbell")
    try:
        yield Act()
    finally:
        await rows.execute(machine.system, "alter publication supabase_realtime add table notify.doorbell")


@asynccontextmanager
async def novu_faults(machine: Machine) -> AsyncIterator[Act]:
    """A row's workflow is between two attempts."""
    system = machine.system
    await system.sink_faults({"kind": "server_error", "status": 503, "requests": None})
    notification_id = await machine.insert("acme", system.enterprises[0].static)
    try:
        yield Act(notification_id)
    finally:
        (await system.sink.delete("/_sink/faults")).raise_for_status()
    await rows.settled(system, [notification_id])


@asynccontextmanager
async def was_refused(machine: Machine) -> AsyncIterator[Act]:
    """A row's template wants a variable that its payload has not."""
    yield Act(await machine.insert("acme", machine.system.enterprises[0].undefined_variable))


@asynccontextmanager
async def was_sent(machine: Machine) -> AsyncIterator[Act]:
    """Novu has it."""
    yield Act(await machine.insert("acme", machine.system.enterprises[0].static))


@asynccontextmanager
async def nobody_serves_it(machine: Machine) -> AsyncIterator[Act]:
    """A row of an enterprise that no daemon is told of."""
    yield Act(await machine.insert("initech", machine.system.enterprises[2].static))


@asynccontextmanager
async def is_slow(machine: Machine) -> AsyncIterator[Act]:
    """A burst, while Novu takes its time and the worker may do one thing at once."""
    system = machine.system
    await system.sink_faults({"kind": "latency", "milliseconds": 5000, "requests": None})
    row = {"notification_workflow_id": system.enterprises[0].static, "channels": ["EMAIL"]}
    ids = await rows.insert(system, "acme", *[row] * 800)
    try:
        yield Act()
    finally:
        (await system.sink.delete("/_sink/faults")).raise_for_status()
    await rows.settled(system, ids)


Scene = Callable[[Machine], AbstractAsyncContextManager[Act]]
SCENES: tuple[Scene, ...] = (
    *(does_not_start, publication_lacks_a_table, subscriptions_fail, novu_faults),
    *(was_sent, was_refused, nobody_serves_it, is_slow),
)


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as environment:
        yield environment


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machine(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch_module: pytest.MonkeyPatch
) -> AsyncIterator[Machine]:
    directory = tmp_path_factory.mktemp("runbook")
    own = {"DAEMON_ENTERPRISE_IDS": "acme,globex", "DAEMON_HEALTH_PORT": str(free_port())}
    monkeypatch_module.setenv("EDGE_MAX_EVENTS_PER_SECOND", "1000000")  # no minute of silence after the burst
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, {**SHORT_TIMES, **own, "TEMPORAL_MAX_CONCURRENT_ACTIVITIES": "1"})
        await system.seed()
        machine = Machine(system, {**_HARMLESS, **system.environment, "XDG_STATE_HOME": str(directory)})
        assert (await machine.says("novu apply --yes")).endswith("9 of 9 done.\n")
        with Program("daemon", directory, system.environment) as program:
            yield machine
            program.require_running()
        await system.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def healthy(machine: Machine) -> Machine:
    async def is_healthy() -> bool:
        return (await machine.says("daemon health")).startswith("healthy")

    await eventually(is_healthy, what="the daemon is healthy")
    return machine


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_the_runbook_shows_what_is_said(healthy: Machine, scene: Scene) -> None:
    block = blocks()[scene.__name__]
    last = ""

    async with scene(healthy) as act:
        words = [str(act.notification_id) if word.isdecimal() else word for word in shlex.split(block.command)]

        async def is_said() -> bool:
            nonlocal last
            last = await healthy.says(shlex.join(words), **act.changes)
            return masked(last) == masked(block.output)

        try:
            await eventually(is_said, within=SHOWS_WITHIN_SECONDS, what=f"xnovu {block.command}")
        except AssertionError as error:
            raise AssertionError(f"{error}\nThe document says:\n{block.output}\nThe command says:\n{last}") from None


def test_every_scene_of_the_runbook_is_played() -> None:
    assert blocks().keys() == {scene.__name__ for scene in SCENES}
