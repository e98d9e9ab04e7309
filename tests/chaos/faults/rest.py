"""Supabase's REST half refuses, is slow, hangs, or does what it was asked and nobody hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from tests.chaos.bed import Bed
from tests.chaos.faults.fault import Fault

TROUBLES: Mapping[str, Mapping[str, Any]] = {
    "401": {"how": "refuse", "status": 401},
    "429": {"how": "refuse", "status": 429},
    "500": {"how": "refuse", "status": 500},
    "503": {"how": "refuse", "status": 503},
    "slow": {"how": "slow", "delay_seconds": 3.0},
}

LOST_ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "hangs": {"how": "hang"},
    "done, then silence": {"how": "execute_then_hang"},
}

GIVEN_UP: Mapping[str, Any] = {"how": "slow", "delay_seconds": 17.0, "function": "fire_rules"}
"""Longer than whoever fires rules waits: he has fired anew by then."""


async def _for_a_while(name: str, bed: Bed, chance: Random) -> None:
    seconds = round(chance.uniform(1, 6), 1)
    await bed.edge_fault("rest", **TROUBLES[name], seconds=seconds)
    await asyncio.sleep(seconds)


async def _some_calls(name: str, bed: Bed, chance: Random) -> None:
    await bed.edge_fault("rest", **LOST_ANSWERS[name], requests=chance.randint(1, 10))
    await asyncio.sleep(chance.uniform(1, 3))
    await bed.end_edge_faults("rest")


async def _done_late(bed: Bed, chance: Random) -> None:
    await bed.edge_fault("rest", **GIVEN_UP, requests=chance.randint(1, 5))
    await asyncio.sleep(chance.uniform(3, 5))
    await bed.end_edge_faults("rest")


FAULTS = (
    *(Fault(f"REST: {name}", partial(_for_a_while, name)) for name in TROUBLES),
    *(Fault(f"REST: {name}", partial(_some_calls, name)) for name in LOST_ANSWERS),
    Fault("REST: rules fired late", _done_late),
)
