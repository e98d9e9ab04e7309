"""Realtime loses rings, closes, refuses, falls silent or stumbles: all that it was seen to do, and says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from tests.chaos.bed import Bed
from tests.chaos.faults.fault import Fault

ONCE: Mapping[str, Mapping[str, Any]] = {
    "drop": {},
    "close": {"code": 1012},
    "phx_close": {},
    "phx_error": {},
    "expire_token": {},
    "kill_slot": {},
    "kill_broadcast_slot": {},
    "malformed_event": {"field": "columns"},
    "unauthorized_event": {},
}

FOR_A_WHILE: Mapping[str, Mapping[str, Any]] = {
    "freeze": {},
    "lose_events": {},
    "rate_limit": {},
    "delay_events": {"delay_seconds": 2.0},
    "refuse_joins": {},
    "refuse_handshakes": {"status": 503},
}

UNTIL_ENDED: Mapping[str, Mapping[str, Any]] = {
    "poller_gives_up": {},
    "tenant": {"becomes": "suspended"},
}


async def _once(name: str, bed: Bed, _: Random) -> None:
    await bed.edge_fault(name, **ONCE[name])


async def _for_a_while(name: str, bed: Bed, chance: Random) -> None:
    seconds = round(chance.uniform(1, 8), 1)
    if name in ("refuse_joins", "refuse_handshakes"):
        await bed.edge_fault("drop")
    await bed.edge_fault(name, **FOR_A_WHILE[name], seconds=seconds)
    await asyncio.sleep(seconds)


async def _until_ended(name: str, bed: Bed, chance: Random) -> None:
    await bed.edge_fault(name, **UNTIL_ENDED[name])
    await asyncio.sleep(chance.uniform(1, 8))
    await bed.end_edge_faults(name)


FAULTS = (
    *(Fault(f"feed: {name}", partial(_once, name)) for name in ONCE),
    *(Fault(f"feed: {name}", partial(_for_a_while, name)) for name in FOR_A_WHILE),
    *(Fault(f"feed: {name}", partial(_until_ended, name)) for name in UNTIL_ENDED),
)
