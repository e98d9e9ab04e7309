"""Novu refuses, fails, is slow, takes events without an answer, or has a long queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from tests.chaos.bed import Bed
from tests.chaos.faults.fault import Fault

ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "401": {"kind": "unauthorized"},
    "429": {"kind": "rate_limited", "retry_after": "1"},
    "500": {"kind": "server_error", "status": 500},
    "503": {"kind": "server_error", "status": 503, "retry_after": "1"},
    "502, executed": {"kind": "server_error", "status": 502, "accepted": True},
    "executed, then silence": {"kind": "accept_then_hang"},
    "executed, then reset": {"kind": "reset_connection"},
    "executed, answer unreadable": {"kind": "unreadable_answer"},
    "slow": {"kind": "latency", "milliseconds": 2_500},
}

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "long queue": {"worker": {"delay_seconds": [2, 12]}},
    "its worker pauses": {"worker": {"paused": True}},
    "three answers in ten reset": {"answers": {"lost_share": 0.3, "lost_by": "reset"}},
    "three answers in ten silent": {"answers": {"lost_share": 0.3, "lost_by": "silence"}},
}


async def _answer(name: str, bed: Bed, chance: Random) -> None:
    await bed.novu_fault({**ANSWERS[name], "requests": chance.randint(1, 8)})
    await asyncio.sleep(chance.uniform(1, 4))
    await bed.end_novu_faults()


async def _other_settings(name: str, bed: Bed, chance: Random) -> None:
    await bed.novu_is(**SETTINGS[name])
    await asyncio.sleep(chance.uniform(1, 5))
    await bed.novu_is_as_ever()


FAULTS = (
    *(Fault(f"Novu: {name}", partial(_answer, name)) for name in ANSWERS),
    *(Fault(f"Novu: {name}", partial(_other_settings, name)) for name in SETTINGS),
)
