"""Daemons that are started, restarted, stopped and killed, over and over, while rows keep coming.

XNOVU_LIFECYCLE_SEQUENCES says how often each of four users does so; `make soak-lifecycle` has them do so 25 times.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port, is_free
from tests.e2e import rows
from tests.e2e.system import SHORT_TIMES, System, eventually

SEED = 20260101
USERS = ("acme", "globex", "initech", "umbrella")
SEQUENCES_OF_EACH = int(os.environ.get("XNOVU_LIFECYCLE_SEQUENCES", "2"))
ROWS_IN_A_SEQUENCE = 6
SEQUENCES = [("start", *middle, end) for middle in ((), ("restart",), ("kill", "start")) for end in ("stop", "kill")]
"""Dealt out to the users one after the other: each at least once by default."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 60 * SEQUENCES_OF_EACH)]

_HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


class User:
    """One user of the machine: a state directory, a port, an enterprise, and the commands."""

    def __init__(self, system: System, number: int, directory: Path) -> None:
        enterprise_id = USERS[number]
        self.directory = directory / enterprise_id
        self.port = free_port()
        self.notification_ids: list[int] = []
        self._system = system
        self._enterprise_id = enterprise_id
        self._random = random.Random(SEED + number)
        turns = range(number * SEQUENCES_OF_EACH, (number + 1) * SEQUENCES_OF_EACH)
        self._sequences = [SEQUENCES[turn % len(SEQUENCES)] for turn in turns]
        self._random.shuffle(self._sequences)
        self._environment = {
            **_HARMLESS,
            **system.environment,
            "DAEMON_ENTERPRISE_IDS": enterprise_id,
            "DAEMON_HEALTH_PORT": str(self.port),
            "XDG_STATE_HOME": str(self.directory),
        }

    async def live(self) -> None:
        """Run all sequences; after each, nothing is left."""
        for steps in self._sequences:
            sending = asyncio.create_task(self._send())
            for step in steps:
                await self._take(step)
            await sending
            await self.require_nothing_left(steps)

    async def command(self, *arguments: str) -> tuple[int | None, dict[str, Any]]:
        """The exit code and the answer of `xnovu daemon ... --json`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "daemon", *arguments, "--json"),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, json.loads(output or "{}") | {"errors": errors.decode()}

    def processes(self) -> list[psutil.Process]:
        """Everything that runs in this user's name."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    async def require_nothing_left(self, after: object) -> None:
        async def nobody_is_left() -> bool:
            return not self.processes() and is_free(self.port)

        await eventually(nobody_is_left, what=f"no process and no port is left after {after}")
        left = {file.name for file in (self.directory / "xnovu").iterdir()}
        assert left <= {"daemon.lock", "daemon.log", "daemon.json"}
        if "daemon.json" in left:  # it was killed; whoever asks next clears that away
            assert await self.command("stop") == (0, {"result": "already_stopped", "pid": None, "errors": ""})
            assert not (self.directory / "xnovu" / "daemon.json").exists()

    async def _take(self, step: str) -> None:
        if step == "kill":
            record = json.loads((self.directory / "xnovu" / "daemon.json").read_text())
            psutil.Process(record["pid"]).kill()
            return
        options = ("--workers", str(self._random.randint(0, 1))) if step == "restart" else ()
        code, answer = await self.command(step, *options)
        expected = {"start": "started", "restart": "started", "stop": "stopped"}
        assert code == 0, answer
        assert answer["result"] == expected[step]

    async def _send(self) -> None:
        for _ in range(ROWS_IN_A_SEQUENCE):
            [enterprise] = [it for it in self._system.enterprises if it.enterprise_id == self._enterprise_id]
            row = {"notification_workflow_id": enterprise.static}
            self.notification_ids += await rows.insert(self._system, self._enterprise_id, row)
            await asyncio.sleep(self._random.uniform(0, 1))

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("XDG_STATE_HOME") == str(self.directory)
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # just ended, or a zombie that nobody has waited for
            return False


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with LocalStack(tmp_path / "stack", novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, tmp_path, SHORT_TIMES, USERS)
        try:
            await system.seed()
            yield system
        finally:
            await system.stop()


@pytest.mark.whole
async def test_every_sequence_leaves_nothing_behind_and_loses_no_row(system: System, tmp_path: Path) -> None:
    users = [User(system, number, tmp_path) for number in range(len(USERS))]
    try:
        async with asyncio.TaskGroup() as lives:
            for user in users:
                lives.create_task(user.live())
        await _deliver_the_rest(system, users[0])
    finally:
        for process in [process for user in users for process in user.processes()]:
            process.kill()

    found = await rows.read(system, [row for user in users for row in user.notification_ids])
    assert len(found) == len(USERS) * SEQUENCES_OF_EACH * ROWS_IN_A_SEQUENCE
    assert {row.status for row in found.values()} == {"SENT"}
    deliveries = await system.deliveries()
    assert set(deliveries) == await system.transaction_ids()
    assert set(deliveries.values()) == {1}


async def _deliver_the_rest(system: System, user: User) -> None:
    """One daemon for everybody's rows: what the killed ones held, once its claims have lapsed, and what came since."""
    code, answer = await user.command("start", "--enterprises", ",".join(USERS), "--log-level", "warn")
    assert code == 0, answer
    await eventually(system.is_settled, what="every row is settled")
    pid = answer["pid"]

    async def is_seen() -> bool:
        return await _heartbeats(system, pid) == ["listener", "worker"]

    await eventually(is_seen, what="others can see how it is")
    code, answer = await user.command("stop")
    assert (code, answer["result"]) == (0, "stopped")
    await user.require_nothing_left("the end")
    assert await _heartbeats(system, pid) == [], "it has said goodbye"


async def _heartbeats(system: System, pid: int) -> list[str]:
    connection = await system.connect()
    try:
        found = await connection.fetch(
            "select component from notify.component_heartbeat"
            " where (report -> 'process' ->> 'pid')::int = $1 order by component",
            pid,
        )
        return [row["component"] for row in found]
    finally:
        await connection.close()
