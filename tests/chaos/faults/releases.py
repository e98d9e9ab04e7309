"""A listener and a worker of the release before run beside those of this one, as they do while it is rolled out."""

from __future__ import annotations

import asyncio
from random import Random

from tests.chaos.bed import Bed
from tests.chaos.faults.fault import Fault


async def _beside(bed: Bed, chance: Random) -> None:
    await asyncio.gather(*(process.start() for process in bed.before))
    await asyncio.sleep(chance.uniform(5, 12))
    if chance.random() < 0.5:
        await asyncio.gather(*(process.kill() for process in bed.before))
    else:
        await asyncio.gather(*(process.stop() for process in bed.before))


FAULTS = (Fault("release before: beside this one", _beside),)
