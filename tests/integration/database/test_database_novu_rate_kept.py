"""Two workers' keepers on one real PostgreSQL, against the sink's limiter."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import datetime

from shared.novu.rates import RateKeeper, limits_of
from shared.ports import RateCategory, TokenBlock
from stack.novu_sink.api.tokens import Tokens
from tests.integration.database.project import Connection, Project, call

SECONDS = 2.0


class DatabaseTokens:
    """Port `NovuTokens`, without PostgREST."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._in_use = asyncio.Lock()
        self.takes = 0

    async def take(
        self,
        category: RateCategory,
        *,
        needed: int,
        spare: int,
        per_second: float,
        burst: float,
        probe_seconds: float,
    ) -> TokenBlock:
        self.takes += 1
        async with self._in_use:
            answer = await call(
                self._connection,
                "take_novu_tokens",
                p_category=category,
                p_needed=needed,
                p_spare=spare,
                p_per_second=per_second,
                p_burst=burst,
                p_probe_seconds=probe_seconds,
            )
        since = answer.get("unpaid_since")
        return TokenBlock(answer["granted"], answer["wait_seconds"], datetime.fromisoformat(since) if since else None)

    async def pause(self, category: RateCategory, seconds: float) -> None:
        raise AssertionError("nothing is refused")

    async def note_payment(self, category: RateCategory, *, required: bool, probe_seconds: float) -> None:
        raise AssertionError("nobody wants to be paid")


async def test_two_workers_are_refused_nothing_and_every_enterprise_gets_its_turn(project: Project) -> None:
    novu, began = Tokens(), time.monotonic()
    until = began + SECONDS
    sent: dict[str, int] = {}

    async def send(keeper: RateKeeper, lane: str) -> None:
        while time.monotonic() < until:
            if await keeper.take("trigger", lane, within_seconds=60) is None:
                novu.take("free", "trigger", 1, time.time())  # raises Refused
                sent[lane] = sent.get(lane, 0) + 1

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        stores = [DatabaseTokens(await stack.enter_async_context(project.connect())) for _ in range(2)]
        keepers = [RateKeeper(store, limits_of("free", {})) for store in stores]
        for number, keeper in enumerate(keepers):
            for lane in [*[f"flood{number}"] * 40, f"small{number}"]:
                group.create_task(send(keeper, lane))
    seconds = time.monotonic() - began

    assert sorted(sent) == ["flood0", "flood1", "small0", "small1"]
    assert 57 * SECONDS < sum(sent.values()) <= 57 * (seconds + 2) + 1  # the burst is two seconds'
    assert sum(store.takes for store in stores) < sum(sent.values()) / 4
