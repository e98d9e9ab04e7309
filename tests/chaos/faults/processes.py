"""Our processes die, or stand still for less and for longer than a claim is believed."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from random import Random

from tests.chaos.bed import Bed, Ours, suspend
from tests.chaos.faults.fault import Fault

PAUSES_SECONDS = (1.0, 3.0)
BEYOND_THE_LEASE_SECONDS = 5.0
"""Of the third one: what was claimed is swept up and claimed by another meanwhile."""

CALLS_TAKE_SECONDS = 2.0
CALLS_AT_MOST = 40


async def _kill(part: str, bed: Bed, chance: Random) -> None:
    process = _one(part, bed, chance)
    await process.kill()
    await asyncio.sleep(chance.uniform(0, 3))
    await process.start()


async def _kill_all(part: str, bed: Bed, chance: Random) -> None:
    processes = [process for process in bed.ours if process.part == part]
    await asyncio.gather(*(process.kill() for process in processes))
    await asyncio.sleep(chance.uniform(0, 3))
    await asyncio.gather(*(process.start() for process in processes))


async def _stand_still(part: str, bed: Bed, chance: Random) -> None:
    process = _one(part, bed, chance)
    suspend(process.pid, on=True)
    await asyncio.sleep(chance.choice([*PAUSES_SECONDS, bed.lease_seconds + BEYOND_THE_LEASE_SECONDS]))
    suspend(process.pid, on=False)


async def _stand_still_while_calling(bed: Bed, chance: Random) -> None:
    """What listeners remember of the rows that it has goes meanwhile, so that these are swept up as soon as their
    claims lapse, for another workflow than Temporal's next attempt. Novu's answers await the one who stood still.
    """
    slow = {"kind": "latency", "milliseconds": int(CALLS_TAKE_SECONDS * 1000), "requests": CALLS_AT_MOST}
    await bed.novu_fault(slow)
    await asyncio.sleep(chance.uniform(1.0, CALLS_TAKE_SECONDS))
    process = _one("worker", bed, chance)
    suspend(process.pid, on=True)
    ends_at = time.monotonic() + bed.lease_seconds + BEYOND_THE_LEASE_SECONDS
    listeners = [each for each in bed.ours if each.part == "listener"]
    await asyncio.gather(*(each.kill() for each in listeners))
    await asyncio.gather(*(each.start() for each in listeners))
    await asyncio.sleep(ends_at - time.monotonic())
    suspend(process.pid, on=False)
    await bed.end_novu_faults()


async def _replace(part: str, bed: Bed, chance: Random) -> None:
    process = _one(part, bed, chance)
    await process.stop()
    await process.start()


def _one(part: str, bed: Bed, chance: Random) -> Ours:
    return chance.choice([process for process in bed.ours if process.part == part])


FAULTS = (
    *(
        Fault(f"{part}: {name}", partial(act, part))
        for part in ("listener", "worker")
        for name, act in (
            ("SIGKILL", _kill),
            ("SIGKILL of all", _kill_all),
            ("SIGSTOP", _stand_still),
            ("SIGTERM and start", _replace),
        )
    ),
    Fault("worker: SIGSTOP beyond the lease with calls at Novu, listeners SIGKILL", _stand_still_while_calling),
)
