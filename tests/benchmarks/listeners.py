"""`make bench-listeners`: three listeners share, one is killed every ten seconds; build/bench_listeners.json.

XNOVU_BENCH_LISTENERS_SECONDS is how long that goes on, a minute if not given.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count, cycle
from pathlib import Path
from statistics import quantiles

import asyncpg

from shared.shards import shards_of
from stack.processes import ChildProcess
from stack.sample_data import insert_notifications, sample_payload
from tests.benchmarks import burst
from tests.benchmarks.sink import count_deliveries, read_arrivals, read_transaction_ids
from tests.benchmarks.system import System, running_system
from tests.benchmarks.table import Line, show
from tests.benchmarks.waiting import wait_until, wait_until_settled

OUTPUT = Path("build/bench_listeners.json")
SECONDS = float(os.environ.get("XNOVU_BENCH_LISTENERS_SECONDS", "60"))
KILL_EVERY_SECONDS = 10.0
ROWS_PER_SECOND = 5
"""Each of them a workflow: what is measured is who hears them, not how many Temporal does in a second here."""
TAKES_OVER_WITHIN_SECONDS = 30.0
ENTERPRISES = tuple(f"enterprise-{number}" for number in range(24))
SHARDS = frozenset(shards_of(ENTERPRISES))
LINES = (
    Line("listeners", 3, at_least=True),
    Line("shared_out_after_s"),
    Line("takeover_s", TAKES_OVER_WITHIN_SECONDS),
    Line("takeover_rows"),
    Line("takeover_not_once", 0),
    Line("takeover_late_p50_s"),
    Line("takeover_late_worst_s", TAKES_OVER_WITHIN_SECONDS),
    Line("kills"),
    Line("chaos_rows"),
    Line("chaos_not_once", 0),
    Line("chaos_late_p50_s"),
    Line("chaos_late_worst_s", TAKES_OVER_WITHIN_SECONDS),
)


@dataclass
class Writer:
    """Writes rows of all enterprises in turn."""

    system: System
    committed_at: dict[int, float] = field(default_factory=dict)

    async def write(self, is_over: asyncio.Event) -> None:
        """On a connection of its own, until `is_over` is set."""
        database = await asyncpg.connect(self.system.stack.environment["XNOVU_STACK_POSTGRES_URL"])
        try:
            for number, enterprise in zip(count(), cycle(self.system.enterprises), strict=False):
                if is_over.is_set():
                    return
                row = {"notification_workflow_id": enterprise.static, "payload": sample_payload(number)}
                [row_id] = await insert_notifications(database, enterprise.enterprise_id, [row])
                self.committed_at[row_id] = time.time()
                await asyncio.sleep(1 / ROWS_PER_SECOND)
        finally:
            await database.close()

    async def figures(self, name: str) -> dict[str, float]:
        """How late the rows were, once they are settled, and how many were not sent once."""
        ids = list(self.committed_at)
        with suppress(TimeoutError):  # what is not settled by then is counted below
            await wait_until_settled(self.system, ids)
        keys = await read_transaction_ids(self.system, ids)
        deliveries, arrivals = await count_deliveries(self.system, set(keys.values())), await read_arrivals(self.system)
        late = [arrivals[keys[each]] - at for each, at in self.committed_at.items() if keys[each] in arrivals]
        return {
            f"{name}_rows": len(ids),
            f"{name}_not_once": sum(deliveries.get(key, 0) != 1 for key in keys.values()),
            f"{name}_late_p50_s": round(quantiles(late, n=2)[0], 3),
            f"{name}_late_worst_s": round(max(late), 2),
        }


async def measure(directory: Path) -> dict[str, float]:
    """Every figure, by its name in the JSON."""
    async with running_system(directory, ENTERPRISES) as system:
        environment = {**system.stack.environment, "DAEMON_ENTERPRISE_IDS": ",".join(ENTERPRISES)}
        others = [ChildProcess(f"listener {number}", directory / f"listener-{number}.log") for number in (2, 3)]
        listeners = [system.listener, *others]
        try:
            began = time.perf_counter()
            for each in others:
                await _start(each, environment)
            await wait_until(lambda: _are_shared_out(system, 3))
            figures: dict[str, float] = {
                "listeners": len(listeners),
                "shared_out_after_s": round(time.perf_counter() - began, 1),
            }
            await burst.measure(replace(system, enterprises=system.enterprises[:3]), 300)
            figures |= await _one_dies(system, others[0])
            await _start(others[0], environment)
            await wait_until(lambda: _are_shared_out(system, 3))
            return figures | await _chaos(system, listeners, environment)
        finally:
            for each in others:
                await each.stop(within_seconds=15)


async def _one_dies(system: System, victim: ChildProcess) -> dict[str, float]:
    writer = Writer(system)
    is_over = asyncio.Event()
    writing = asyncio.create_task(writer.write(is_over))
    await asyncio.sleep(2)
    await victim.kill()
    killed = time.perf_counter()
    await wait_until(lambda: _are_shared_out(system, 2))
    takeover = time.perf_counter() - killed
    await asyncio.sleep(2)
    is_over.set()
    await writing
    return {"takeover_s": round(takeover, 1), **await writer.figures("takeover")}


async def _chaos(system: System, listeners: Sequence[ChildProcess], environment: dict[str, str]) -> dict[str, float]:
    writer = Writer(system)
    is_over = asyncio.Event()
    writing = asyncio.create_task(writer.write(is_over))
    kills = 0
    for _, victim in zip(range(int(SECONDS / KILL_EVERY_SECONDS)), cycle(listeners), strict=False):
        await asyncio.sleep(KILL_EVERY_SECONDS)
        await victim.kill()
        kills += 1
        await _start(victim, environment)
    is_over.set()
    await writing
    return {"kills": kills, **await writer.figures("chaos")}


async def _start(listener: ChildProcess, environment: dict[str, str]) -> None:
    await listener.start([sys.executable, "-m", "listener"], environment)


async def _are_shared_out(system: System, listeners: int) -> bool:
    """Whether so many are left, and every shard is heard by one of them."""
    shares = [row["shards"] for row in await system.database.fetch("select shards from notify.listener_share")]
    return len(shares) == listeners and sorted(shard for share in shares for shard in share) == sorted(SHARDS)


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory(prefix="xnovu-bench-") as directory:
        figures = asyncio.run(measure(Path(directory)))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    show("Three listeners: two cores, every server on the same machine", figures, LINES)


if __name__ == "__main__":
    main()
