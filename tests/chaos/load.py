"""What applications write while faults strike: rows of every kind and what is done to them afterwards, by a seed."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

import asyncpg

from stack.sample_data import SampleEnterprise, insert_notifications, sample_payload
from tests.e2e.system import System

CONNECTION_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # cut off between two messages
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,  # the disk is full
)
PORTION_EVERY_SECONDS = 0.25
SCHEDULED_AHEAD_SECONDS = 12.0

Columns = dict[str, Any]
T = TypeVar("T")


class Load:
    """Writes for a while, and remembers what it was told."""

    def __init__(self, system: System, run: str, seed: int, *, rows_per_second: float) -> None:
        """`run` is the beginning of every token: rows of other runs are none of its business."""
        self._system = system
        self._run = run
        self._random = Random(f"load {seed}")
        self._rows_in_a_portion = rows_per_second * PORTION_EVERY_SECONDS
        self._number = 0
        self._drafts: list[int] = []
        self._scheduled: list[int] = []
        self._recent: list[tuple[str, int]] = []
        self.retracted: dict[int, float] = {}
        self.written: Counter[str] = Counter()
        """How many of each kind were asked for; what was cut off and made again counts once."""

    async def write_for(self, seconds: float) -> None:
        """Portion after portion; transactions that stay open a while go on beside them, and end before it returns."""
        ends_at = time.monotonic() + seconds
        async with asyncio.TaskGroup() as open_transactions:
            while time.monotonic() < ends_at:
                began = time.monotonic()
                left = self._rows_in_a_portion
                while left > 0:
                    left -= await self._write_some()
                if self._random.random() < 0.05:
                    hold = self._random.uniform(2, 8)
                    open_transactions.create_task(self._long_transaction(hold))
                await self._change_some()
                await asyncio.sleep(max(0.0, PORTION_EVERY_SECONDS - (time.monotonic() - began)))
        await self._publish()

    async def probe(self, name: str) -> str:
        """One ordinary row; returns its token, by which its arrival is found."""
        enterprise = self._random.choice(self._system.enterprises)
        row = self._row(enterprise, "probe")
        row["payload"]["chaos"] = token = f"{self._run}-probe-{name}"
        await self._insert(enterprise, [row])
        return token

    async def _write_some(self) -> int:
        enterprise = self._random.choice(self._system.enterprises)
        kinds: Mapping[str, float] = {
            "plain": 60, "burst": 2, "scheduled": 12, "draft": 8, "expired": 3, "expiring": 6, "refused": 4,
            "large": 0.7,
        }  # fmt: skip
        [kind] = self._random.choices(list(kinds), list(kinds.values()))
        count = {"burst": 60, "large": 1}.get(kind, self._random.randint(1, 8))
        rows = [self._row(enterprise, kind) for _ in range(count)]
        ids = await self._insert(enterprise, rows)
        if kind == "draft":
            self._drafts += ids
        elif kind == "scheduled":
            self._scheduled += ids
        self._recent += [(enterprise.enterprise_id, row_id) for row_id in ids]
        del self._recent[:-300]
        self.written[kind] += count
        return count

    def _row(self, enterprise: SampleEnterprise, kind: str) -> Columns:
        self._number += 1
        chance = self._random
        people = [f"{enterprise.enterprise_id}.{chance.randrange(1000)}"]
        now = datetime.now(UTC)
        row: Columns = {
            "name": f"{self._run} {kind} {self._number}",
            "notification_workflow_id": chance.choice([enterprise.static, enterprise.dynamic]),
            "payload": {**sample_payload(self._number), "chaos": f"{self._run}-{self._number}"},
            "channels": ["EMAIL"],
            "recipients": people,
        }
        match kind:
            case "scheduled":
                row["scheduled_for"] = (now + timedelta(seconds=chance.uniform(1, SCHEDULED_AHEAD_SECONDS))).isoformat()
            case "draft":
                row["publish_status"] = "DRAFT"
            case "expired":
                row["deliver_before"] = (now - timedelta(seconds=1)).isoformat()
            case "expiring":
                row["deliver_before"] = (now + timedelta(seconds=chance.uniform(0.2, 20))).isoformat()
            case "refused":
                row["notification_workflow_id"] = enterprise.broken_template
            case "large":
                row["recipients"] = [
                    f"{enterprise.enterprise_id}.{number}" for number in range(chance.randint(101, 350))
                ]
        return row

    async def _insert(self, enterprise: SampleEnterprise, rows: Sequence[Columns]) -> list[int]:
        """Until it is committed. Where nobody knows whether it was, names that are there already say so."""

        async def insert(connection: asyncpg.Connection) -> list[int]:
            try:
                return await insert_notifications(connection, enterprise.enterprise_id, rows)
            except asyncpg.UniqueViolationError:
                return await _ids(connection, rows)

        return await self._until_done(insert)

    async def _change_some(self) -> None:
        chance = self._random
        if self._drafts and chance.random() < 0.2:
            await self._publish(most=chance.randint(1, 20))
        if self._scheduled and chance.random() < 0.3:
            some = [self._scheduled.pop(0) for _ in range(min(len(self._scheduled), chance.randint(1, 4)))]
            seconds = chance.uniform(0.0, SCHEDULED_AHEAD_SECONDS)
            self.written["rescheduled"] += await self._execute(_RESCHEDULE, some, seconds)
        if self._recent and chance.random() < 0.5:
            enterprise_id, _ = chance.choice(self._recent)
            of_it = [row_id for owner, row_id in self._recent if owner == enterprise_id]
            await self._retract(enterprise_id, chance.sample(of_it, k=min(len(of_it), 5)))
        if chance.random() < 0.3:
            await self._retract_in_flight()

    async def _publish(self, most: int | None = None) -> None:
        some, self._drafts = self._drafts[:most], self._drafts[len(self._drafts) if most is None else most :]
        if most is None:  # at the end, half of them: the others stay drafts for ever
            some = some[::2]
        self.written["published"] += await self._execute(_PUBLISH, some)

    async def _retract(self, enterprise_id: str, ids: Sequence[int]) -> None:
        async def retract(connection: asyncpg.Connection) -> Any:
            return await connection.fetchval(
                "select notify.retract_notifications($1, $2, 'chaos')", enterprise_id, list(ids)
            )

        answer = json.loads(await self._until_done(retract))
        told = time.time()
        for row_id in answer["retracted"]:
            self.retracted.setdefault(row_id, told)
        self.written["retracted"] += len(answer["retracted"])

    async def _retract_in_flight(self) -> None:
        """One that is being sent, if any is."""

        async def look(connection: asyncpg.Connection) -> Any:
            return await connection.fetchrow(_IN_FLIGHT, self._run)

        if row := await self._until_done(look):
            await self._retract(row["enterprise_id"], [row["id"]])
            self.written["retracted in flight"] += 1

    async def _long_transaction(self, hold_seconds: float) -> None:
        """Ids taken first and committed last; one in four is rolled back."""
        enterprise = self._random.choice(self._system.enterprises)
        rows = [self._row(enterprise, "late commit") for _ in range(3)]
        rolls_back = self._random.random() < 0.25
        connection = await self._system.connect()
        try:
            transaction = connection.transaction()
            await transaction.start()
            await insert_notifications(connection, enterprise.enterprise_id, rows)
            await asyncio.sleep(hold_seconds)
            await (transaction.rollback() if rolls_back else transaction.commit())
            self.written["rolled back" if rolls_back else "late commit"] += len(rows)
        except CONNECTION_LOST:
            self.written["cut off"] += len(rows)
        finally:
            connection.terminate()

    async def _execute(self, statement: str, *arguments: Any) -> int:
        async def execute(connection: asyncpg.Connection) -> int:
            return len(await connection.fetch(statement, *arguments))

        return await self._until_done(execute)

    async def _until_done(self, act: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        while True:
            connection = await self._system.connect()
            try:
                return await act(connection)
            except CONNECTION_LOST:
                await asyncio.sleep(0.1)
            finally:
                connection.terminate()


async def _ids(connection: asyncpg.Connection, rows: Sequence[Columns]) -> list[int]:
    names = [row["name"] for row in rows]
    found = await connection.fetch("select id from notify.ent_notification where name = any($1)", names)
    return [row["id"] for row in found]


_IN_FLIGHT = """
select enterprise_id, id from notify.ent_notification
 where notification_status = 'PROCESSING' and starts_with(name, $1 || ' ')
 order by id desc limit 1
"""
_PUBLISH = "update notify.ent_notification set publish_status = 'PUBLISH' where id = any($1) returning id"
_RESCHEDULE = """
update notify.ent_notification set scheduled_for = now() + make_interval(secs => $2)
 where id = any($1) and notification_status = 'PENDING' and scheduled_for > now()
returning id
"""
