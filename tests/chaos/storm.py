"""Which fault strikes when: two decks, shuffled by the seed, each laid out one card after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import httpx

from tests.chaos.bed import Bed
from tests.chaos.faults import INNER, OUTER
from tests.chaos.faults.fault import Fault
from tests.chaos.load import Load

PAUSE_SECONDS = (0.5, 3.0)


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault that struck. Its probe is a row that was written when the cause was gone: its arrival is recovery."""

    fault: str
    began: float
    ended: float
    """Both in Unix seconds."""
    probe: str
    """The row's token."""


class Storm:
    """Strikes for a while."""

    def __init__(self, bed: Bed, load: Load, seed: int) -> None:
        self._bed = bed
        self._load = load
        self._seed = seed
        self.strikes: list[Strike] = []
        self.missed = 0
        """Faults that could not strike, because what they need was down under another."""

    async def blow_for(self, seconds: float) -> None:
        """The last fault on each deck that began in time is let come to its end."""
        ends_at = time.monotonic() + seconds
        async with asyncio.TaskGroup() as decks:
            for name, faults in {"inner": INNER, "outer": OUTER}.items():
                decks.create_task(self._lay_out(Random(f"{name} {self._seed}"), faults, ends_at))

    async def _lay_out(self, chance: Random, faults: Sequence[Fault], ends_at: float) -> None:
        deck: list[Fault] = []
        while time.monotonic() < ends_at:
            if not deck:
                deck = chance.sample(list(faults), k=len(faults))
            fault = deck.pop()
            if not fault.where(self._bed):
                continue
            await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
            began = time.time()
            try:
                await fault.strike(self._bed, chance)
            except httpx.HTTPStatusError:
                self.missed += 1
                continue
            ended = time.time()
            probe = await self._load.probe(f"{len(self.strikes)}-{fault.name}")
            self.strikes.append(Strike(fault.name, began, ended, probe))
