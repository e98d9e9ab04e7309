"""A machine's clock is an hour wrong, either way, and is set right again. Where libfaketime is installed (Debian's
package of this name), or named by XNOVU_CHAOS_FAKETIME; elsewhere no clock is touched.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from random import Random

from tests.chaos.bed import Bed
from tests.chaos.faults.fault import Fault

HOUR = 3600


def library() -> Path | None:
    """The one for programs with threads."""
    named = [Path(os.environ[name]) for name in ("XNOVU_CHAOS_FAKETIME",) if name in os.environ]
    found = [*named, *sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))]
    return next((path for path in found if path.exists()), None)


def wrong_by(seconds: int) -> Mapping[str, str]:
    """The environment of a process whose wall clock is so many seconds ahead; how long things take stays true."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


async def _wrong(seconds: int, part: str, bed: Bed, chance: Random) -> None:
    process = chance.choice([each for each in bed.ours if each.part == part])
    await process.kill()
    await process.start(wrong_by(seconds))
    await asyncio.sleep(chance.uniform(5, 12))
    await process.kill()
    await process.start()


def _is_there(_: Bed) -> bool:
    return library() is not None


FAULTS = tuple(
    Fault(f"clock: {part}'s an hour {'ahead' if sign > 0 else 'behind'}", partial(_wrong, sign * HOUR, part), _is_there)
    for part in ("listener", "worker")
    for sign in (1, -1)
)
