"""`make bench-partitioned ROWS=1000000,5000000`: one table of notifications beside sixteen partitions.

Both tables hold the same rows of a thousand enterprises, nearly all SENT long ago, and the same calls are made of both
in turn. Times are of PostgreSQL alone, on one connection. Writes build/partitioned.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from stack.migrations import apply_migrations
from stack.postgres import MIGRATIONS, PARTITIONED, Postgres

ENTERPRISES = 1000
PORTION = 250
ROUNDS = 15
RESULT = Path("build/partitioned.json")

_FILL = """
insert into notify.ent_notification (
    name, payload, recipients, enterprise_id, publish_status, notification_status, transaction_id, delivery_key,
    created_at, updated_at
)
select 'row ' || g, '{"order": {"number": 4711, "total": "12.34 EUR"}, "name": "somebody"}', array['s' || g % 100000],
    'enterprise-' || g % $2, 'PUBLISH', 'SENT', 'xnovu.' || md5(g::text), md5(g::text),
    now() - interval '60 days' + g * interval '40 days' / $1::int,
    now() - interval '60 days' + g * interval '40 days' / $1::int
from generate_series(1, $1::int) as g
"""
_OF_ONE = """
insert into notify.ent_notification (name, payload, recipients, enterprise_id, publish_status)
select $1 || ' ' || g, '{"order": {"number": 4711, "total": "12.34 EUR"}, "name": "somebody"}', array['s' || g], $2,
    'PUBLISH'
from generate_series(1, $3::int) as g
returning id
"""
_SIZE = """
select sum(pg_table_size(t.relid))::bigint as table, sum(pg_indexes_size(t.relid))::bigint as indexes
from (
    select i.inhrelid as relid from pg_inherits i where i.inhparent = 'notify.ent_notification'::regclass
    union all select 'notify.ent_notification'::regclass where not exists (
        select from pg_inherits i where i.inhparent = 'notify.ent_notification'::regclass
    )
) as t
"""


_PLAN = """
explain (analyze, costs off, timing off, summary off, buffers off)
select n.id
from (select e, i from unnest($1::text[], $2::bigint[]) as t (e, i) group by e, i) as asked
join notify.ent_notification n on n.id = asked.i and n.enterprise_id::text = asked.e
"""
"""As claims find their rows."""


class Bench:
    """One shape of the table."""

    def __init__(self, shape: str, connection: asyncpg.Connection) -> None:
        self.shape = shape
        self._connection = connection
        self.times: dict[str, list[float]] = {}

    async def fill(self, rows: int) -> None:
        """Without triggers: so many rows came over months."""
        await self._connection.execute("set session_replication_role = replica")
        await self._connection.execute(_FILL, rows, ENTERPRISES, timeout=3600)
        await self._connection.execute("reset session_replication_role")
        await self._connection.execute("vacuum analyze notify.ent_notification", timeout=3600)
        await self._connection.execute("checkpoint", timeout=3600)

    async def round(self, number: int) -> None:
        """The way of one portion, and what is asked beside it."""
        enterprise = f"enterprise-{number * 37 % ENTERPRISES}"
        everybody = [f"enterprise-{each}" for each in range(ENTERPRISES)]
        await self._timed("sweep of 1,000 enterprises, nothing due", self._call("due_notifications", everybody, 1000))
        found = await self._timed(
            "insert of 250", self._connection.fetch(_OF_ONE, f"new {number}", enterprise, PORTION)
        )
        ids = [row["id"] for row in found]
        await self._timed("sweep of one, 250 due", self._call("due_notifications", [enterprise], 1000))
        await self._timed(
            "claim of 250", self._call("claim_batch", enterprise, ids, f"owner {number}", 120, True, False)
        )
        outcomes = [{"id": each, "status": "SENT", "transaction_id": f"t{each}"} for each in ids]
        await self._timed(
            "record of 250", self._call("record_outcomes", enterprise, f"owner {number}", json.dumps(outcomes))
        )
        await self._timed(
            "one row by its id",
            self._connection.fetch("select * from notify.ent_notification where id = $1", ids[0] // 2),
        )
        await self._timed(
            "erase: 1,000 rows of one looked through",
            self._call("erase_from_notifications", enterprise, "s1", [], 0, 1000, True),
        )

    async def prune(self) -> None:
        """A portion of 1,000."""
        for enterprise in range(ENTERPRISES):
            await self._call("keep_notifications", f"enterprise-{enterprise}", 30)
        for _ in range(5):
            await self._timed("prune of 1,000", self._call("prune_notifications", None, None, 0, 1000, False))

    async def figures(self) -> Mapping[str, float]:
        """Medians in milliseconds, sizes in MB, seconds of a vacuum."""
        await self._timed("vacuum", self._connection.execute("vacuum notify.ent_notification", timeout=3600))
        [size] = await self._connection.fetch(_SIZE)
        shown = {name: round(median(times) * 1000, 2) for name, times in self.times.items()}
        shown["tables that a claim looks into"] = await self.partitions_of_a_claim()
        shown["table, MB"] = round(size["table"] / 2**20)
        shown["indexes, MB"] = round(size["indexes"] / 2**20)
        return shown

    async def partitions_of_a_claim(self) -> int:
        """Into how many tables it looks for the rows of one enterprise."""
        plan = await self._connection.fetch(_PLAN, ["enterprise-1"] * 4, [1, 1001, 2001, 3001])
        return sum(row[0].lstrip().startswith("->  Index") and "never executed" not in row[0] for row in plan)

    async def _call(self, function: str, *arguments: Any) -> Any:
        places = ", ".join(f"${place}" for place in range(1, len(arguments) + 1))
        return await self._connection.fetchval(f"select notify.{function}({places})", *arguments, timeout=600)

    async def _timed(self, name: str, work: Awaitable[Any]) -> Any:
        began = time.perf_counter()
        answer = await work
        self.times.setdefault(name, []).append(time.perf_counter() - began)
        return answer


def compare(rows: int) -> dict[str, Mapping[str, float]]:
    """Fill both, and take turns."""
    directory = Path(tempfile.mkdtemp(prefix="xnovu-partitioned-"))
    directory.chmod(0o711)  # PostgreSQL runs as another account
    try:
        return asyncio.run(_compare_on(directory, rows))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _compare_on(directory: Path, rows: int) -> dict[str, Mapping[str, float]]:
    async with Postgres(directory, migrations=None) as postgres:
        benches = []
        for shape in ("one table", "partitioned"):
            url = await postgres.create_database(shape.replace(" ", "_"))
            await apply_migrations(url, MIGRATIONS)
            if shape == "partitioned":
                await apply_migrations(url, PARTITIONED)
            connection = await asyncpg.connect(url)
            bench = Bench(shape, connection)
            await bench.fill(rows)
            benches.append(bench)
        for number in range(ROUNDS):
            for bench in benches:
                await bench.round(number)
        for bench in benches:
            await bench.prune()
        return {bench.shape: await bench.figures() for bench in benches}


def main() -> int:
    """Rows from the command line; one table of figures for each number of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.partitioned", description=__doc__)
    parser.add_argument("--rows", default="1000000", help="how many are in the table; several with commas")
    options = parser.parse_args()
    every: dict[str, Any] = {}
    for rows in map(int, options.rows.split(",")):
        every[str(rows)] = figures = compare(rows)
        one, many = figures["one table"], figures["partitioned"]
        sys.stdout.write(f"| {rows:,} rows, ms | one table | 16 partitions |\n|---|---|---|\n")
        sys.stdout.writelines(f"| {name} | {one[name]:,} | {many[name]:,} |\n" for name in one)
        sys.stdout.flush()
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
