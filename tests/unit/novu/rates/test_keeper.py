"""Requests stay within Novu's rate, whoever makes them, and nobody waits behind others' bulk."""

import asyncio
import sys
from collections import defaultdict
from itertools import count

import httpx
import pytest

from shared.novu.rates import Limits, RateKeeper, limits_of
from shared.novu.rates.keeper import PAYMENT_REQUIRED
from shared.ports import FaultCode, PutOff, StoreUnavailable
from stack.novu_sink.api.answers import Refused
from stack.novu_sink.api.tokens import Tokens
from tests.unit.novu.rates.doubles import SharedTokens
from tests.unit.virtual_time import run_virtually

FREE = limits_of("free", {})


def now() -> float:
    return asyncio.get_running_loop().time()


class Novu:
    """The sink's own limiter, behind a network that takes its time."""

    def __init__(self, plan: str = "free") -> None:
        self._plan = plan
        self._tokens = Tokens()
        self._number = count()
        self.taken = 0
        self.refused = 0
        self.payment_required = False

    async def answer(self, cost: int = 1) -> tuple[int, httpx.Headers]:
        number = next(self._number)
        await asyncio.sleep(0.02 + number * 7919 % 101 / 500)  # up to 0.22 s, so that requests overtake each other
        if self.payment_required:
            return 402, httpx.Headers()
        try:
            headers = self._tokens.take(self._plan, "trigger", cost, now())
        except Refused as refused:
            self.refused += 1
            return refused.status, httpx.Headers(refused.headers)
        self.taken += 1
        return 201, httpx.Headers(headers)


class Sender:
    """A worker: how long each request waited for its turn, by lane."""

    def __init__(self, keeper: RateKeeper, novu: Novu) -> None:
        self.keeper = keeper
        self._novu = novu
        self.waited: dict[str, list[float]] = defaultdict(list)

    async def send(self, lane: str, *, within_seconds: float = 600.0) -> PutOff | int:
        began = now()
        put_off = await self.keeper.take("trigger", lane, within_seconds=within_seconds)
        if put_off is not None:
            return put_off
        self.waited[lane].append(now() - began)
        status, headers = await self._novu.answer()
        await self.keeper.heed("trigger", status, headers)
        return status

    async def send_many(self, lane: str, events: int, at_once: int = 8) -> None:
        numbers = iter(range(events))

        async def some() -> None:
            for _ in numbers:
                await self.send(lane)

        await asyncio.gather(*(some() for _ in range(at_once)))


def test_minutes_of_a_mixed_load_by_two_workers_are_refused_nothing_and_singles_go_at_once() -> None:
    async def scene() -> tuple[Novu, list[Sender], SharedTokens, float]:
        novu, shared = Novu(), SharedTokens()
        senders = [Sender(RateKeeper(shared, FREE), novu) for _ in range(2)]

        async def singles(sender: Sender, enterprise: str) -> None:
            for number in range(40):
                await asyncio.sleep(4 * (0.5 + number * 7919 % 100 / 100))
                await sender.send(enterprise)

        async with asyncio.TaskGroup() as group:
            for number, sender in enumerate(senders):
                group.create_task(sender.send_many("flood", 5_000, at_once=30))
                for small in range(3):
                    group.create_task(singles(sender, f"small{number}{small}"))
        return novu, senders, shared, now()

    novu, senders, shared, seconds = run_virtually(scene())

    assert novu.refused == 0
    assert novu.taken == 2 * (5_000 + 3 * 40)
    assert seconds == pytest.approx(novu.taken / 57, rel=0.03)
    waits = [wait for sender in senders for lane, waits in sender.waited.items() if lane != "flood" for wait in waits]
    assert len(waits) == 240
    assert max(waits) < 1.5
    assert shared.takes < novu.taken / 5


def test_after_a_pause_the_burst_is_within_novus() -> None:
    async def scene() -> Novu:
        novu, shared = Novu(), SharedTokens()
        senders = [Sender(RateKeeper(shared, FREE), novu) for _ in range(5)]
        for pause in (0, 30, 3, 0.5):
            await asyncio.sleep(pause)
            await asyncio.gather(*(sender.send_many("flood", 200, at_once=50) for sender in senders))
        return novu

    assert run_virtually(scene()).refused == 0


def test_lanes_get_their_tokens_by_turns() -> None:
    async def scene() -> dict[str, int]:
        sender = Sender(RateKeeper(SharedTokens(), FREE), Novu())
        lanes = {"hasty": 400, "calm": 40}
        tasks = [asyncio.create_task(sender.send_many(lane, 2000, at_once)) for lane, at_once in lanes.items()]
        await asyncio.sleep(20)
        for task in tasks:
            task.cancel()
        return {lane: len(sender.waited[lane]) for lane in lanes}

    sent = run_virtually(scene())

    assert sent["hasty"] == pytest.approx(sent["calm"], rel=0.1)


@pytest.mark.parametrize("workers", [2, 20])
def test_a_workers_single_does_not_wait_for_the_blocks_of_the_others(workers: int) -> None:
    async def scene() -> float:
        novu, shared = Novu(), SharedTokens()
        floods = [Sender(RateKeeper(shared, FREE), novu) for _ in range(workers - 1)]
        tasks = [asyncio.create_task(flood.send_many("flood", 10_000, at_once=100)) for flood in floods]
        await asyncio.sleep(10)
        alone = Sender(RateKeeper(shared, FREE), novu)
        for _ in range(20):
            await asyncio.sleep(0.37)
            await alone.send("small")
        for task in tasks:
            task.cancel()
        assert novu.refused == 0
        return max(alone.waited["small"])

    assert run_virtually(scene()) < 1.6


def test_what_a_dead_worker_took_is_a_block_at_most() -> None:
    async def scene() -> tuple[int, int]:
        novu, shared = Novu(), SharedTokens()
        dead = Sender(RateKeeper(shared, FREE), novu)
        task = asyncio.create_task(dead.send_many("flood", 10_000, at_once=200))
        await asyncio.sleep(10)
        task.cancel()
        return shared.given, novu.taken

    given, taken = run_virtually(scene())

    assert 0 <= given - taken <= 29 + 57 * 0.22 + 1


def test_without_a_rate_nothing_waits_and_nobody_is_asked() -> None:
    async def scene() -> tuple[float, SharedTokens, int]:
        shared = SharedTokens()
        keeper = RateKeeper(shared, limits_of("unlimited", {}))
        for _ in range(1000):
            assert await keeper.take("trigger", "flood", within_seconds=0.1) is None
            await keeper.heed("trigger", 201, {})
        return now(), shared, keeper.bulk_from("trigger")

    seconds, shared, bulk_from = run_virtually(scene())

    assert (seconds, shared.takes, bulk_from) == (0, 0, 3)


def test_a_rate_that_novu_tells_is_kept_from_then_on() -> None:
    async def scene() -> tuple[Novu, float, RateKeeper]:
        novu = Novu("free")
        keeper = RateKeeper(SharedTokens(), limits_of("unlimited", {}))
        await Sender(keeper, novu).send("one")
        await Sender(keeper, novu).send_many("one", 2000)
        return novu, now(), keeper

    novu, seconds, keeper = run_virtually(scene())

    assert novu.refused == 0
    assert seconds > 30
    assert keeper.per_second("trigger") == 57
    assert keeper.per_second("global") is None


@pytest.mark.parametrize(("per_second", "bulk_from"), [(57, sys.maxsize), (399, sys.maxsize), (400, 100), (5700, 100)])
def test_bulks_are_worth_it_where_their_tokens_gather_at_once(per_second: float, bulk_from: int) -> None:
    keeper = RateKeeper(SharedTokens(), Limits({}, {"trigger": per_second}))

    assert keeper.bulk_from("trigger") == bulk_from


def test_a_bulk_pays_for_itself_and_singles_pass_it() -> None:
    async def scene() -> tuple[float, float]:
        keeper = RateKeeper(SharedTokens(), limits_of("free", {"trigger": 10}))
        await keeper.take("trigger", "before", cost=20, within_seconds=60)  # the burst
        began = now()
        bulk = asyncio.create_task(keeper.take("trigger", "large", cost=100, within_seconds=60))
        await asyncio.sleep(0)
        await keeper.take("trigger", "small", within_seconds=60)
        single_seconds = now() - began
        assert await bulk is None
        return single_seconds, now() - began

    single_seconds, bulk_seconds = run_virtually(scene())

    assert single_seconds < 1
    assert bulk_seconds == pytest.approx(10.1, abs=0.7)


def test_who_waits_too_long_is_put_off_and_what_was_gathered_serves_the_next() -> None:
    async def scene() -> None:
        shared = SharedTokens()
        keeper = RateKeeper(shared, limits_of("free", {"trigger": 10}))
        put_off = await keeper.take("trigger", "large", cost=100, within_seconds=3)
        assert put_off is not None
        assert (put_off.code, now()) == (FaultCode.NOVU_RATE, 3)
        assert put_off.seconds >= 1
        took = shared.takes
        assert await keeper.take("trigger", "small", cost=20, within_seconds=0) is None
        assert shared.takes == took

    run_virtually(scene())


def test_kept_tokens_are_lost_after_a_moment() -> None:
    async def scene() -> None:
        shared = SharedTokens()
        keeper = RateKeeper(shared, FREE)
        for seconds in (0, 0.2, 0.2, 2):
            await asyncio.sleep(seconds)
            assert await keeper.take("trigger", "one", within_seconds=1) is None
        assert shared.takes == 2

    run_virtually(scene())


def test_a_refusal_for_the_rate_stops_every_worker_for_as_long_as_novu_says() -> None:
    async def scene() -> None:
        shared = SharedTokens()
        one, other = RateKeeper(shared, FREE), RateKeeper(shared, FREE)
        await one.heed("trigger", 429, httpx.Headers({"Retry-After": "7"}))
        for keeper in (one, other):
            put_off = await keeper.take("trigger", "lane", within_seconds=5)
            assert put_off is not None
            assert put_off.code is FaultCode.NOVU_RATE
            assert put_off.seconds == pytest.approx(7, abs=0.1)
        assert await one.take("global", "lane", within_seconds=5) is None
        await asyncio.sleep(7)
        began = now()
        assert await other.take("trigger", "lane", cost=57, within_seconds=5) is None
        assert now() - began == pytest.approx(1, abs=0.1)  # nothing had gathered

    run_virtually(scene())


@pytest.mark.parametrize("plan", ["free", "unlimited"])
def test_while_novu_wants_to_be_paid_one_request_in_a_while_finds_out(plan: str) -> None:
    async def scene() -> None:
        shared, novu = SharedTokens(), Novu(plan)
        limits = limits_of("free" if plan == "free" else "unlimited", {})
        senders = [Sender(RateKeeper(shared, limits, probe_seconds=60), novu) for _ in range(2)]
        novu.payment_required = True
        answers = [await sender.send("lane") for sender in senders for _ in range(10)]
        assert answers.count(402) <= 2
        put_off = answers[-1]
        assert isinstance(put_off, PutOff)
        assert (put_off.code, put_off.reason) == (FaultCode.NOVU_PAYMENT_REQUIRED, PAYMENT_REQUIRED)
        assert 0 < put_off.seconds <= 60
        assert all(sender.keeper.closed("trigger") for sender in senders)
        assert senders[0].keeper.bulk_from("trigger") == sys.maxsize

        probes = 0
        for _ in range(600):
            await asyncio.sleep(1)
            answers = await asyncio.gather(*(sender.send("lane") for sender in senders for _ in range(5)))
            probes += answers.count(402)
        assert 9 <= probes <= 11

        novu.payment_required = False
        for _ in range(120):
            await asyncio.sleep(1)
            await asyncio.gather(*(sender.send("lane") for sender in senders))
        assert [await sender.send("lane") for sender in senders] == [201, 201]
        assert [sender.keeper.closed("trigger") for sender in senders] == [None, None]

    run_virtually(scene())


@pytest.mark.parametrize("fault", [StoreUnavailable("gone"), RuntimeError("nobody foresaw this")])
def test_a_database_that_gives_no_tokens_puts_off_and_is_asked_again(fault: Exception) -> None:
    async def scene() -> None:
        shared = SharedTokens()
        keeper = RateKeeper(shared, FREE)
        shared.fault = fault
        put_offs = await asyncio.gather(*(keeper.take("trigger", "lane", within_seconds=5) for _ in range(3)))
        assert [put_off.seconds for put_off in put_offs if put_off] == [2.0, 2.0, 2.0]
        shared.fault = None
        await asyncio.sleep(2.1)
        assert await keeper.take("trigger", "lane", within_seconds=5) is None

    run_virtually(scene())


def test_a_caller_that_is_cancelled_leaves_the_queue() -> None:
    async def scene() -> None:
        keeper = RateKeeper(SharedTokens(), limits_of("free", {"trigger": 1}))
        await keeper.take("trigger", "lane", cost=2, within_seconds=5)
        waiting = asyncio.create_task(keeper.take("trigger", "lane", cost=50, within_seconds=60))
        await asyncio.sleep(0.5)
        waiting.cancel()
        began = now()
        assert await keeper.take("trigger", "lane", within_seconds=60) is None
        assert now() - began < 3

    run_virtually(scene())
