"""An enterprise's own rate, in virtual time: kept by all workers together, and nobody else's affair."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import pytest

from shared.ports import FaultCode, NovuTokens, PutOff, TriggerAccepted, TriggerEvent, TriggerFault, TriggerResult
from tests.unit.novu.rates.doubles import SharedTokens
from tests.unit.virtual_time import run_virtually
from worker.own_rates import OwnRates, OwnRateTrigger
from worker.turns import Turns

PATIENCE_SECONDS = 10.0


def now() -> float:
    return asyncio.get_running_loop().time()


class Novu:
    """Port `NotificationTrigger`: when it was asked for which events."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, str, int]] = []

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        self.taken.append((now(), events[0].enterprise_id, len(events)))
        return [TriggerAccepted() for _ in events]

    def of(self, enterprise_id: str) -> list[tuple[float, int]]:
        return [(at, events) for at, whose, events in self.taken if whose == enterprise_id]


class Deployment:
    """Workers that share a database, in which `rates` are set."""

    def __init__(self, **rates: float) -> None:
        self.rates = rates
        self.novu = Novu()
        self._tokens: defaultdict[str, SharedTokens] = defaultdict(SharedTokens)

    def tokens(self, enterprise_id: str) -> NovuTokens:
        return self._tokens[enterprise_id]

    def worker(self) -> OwnRateTrigger:
        return OwnRateTrigger(self.novu, OwnRates(self.rates.get, self.tokens), patience_seconds=PATIENCE_SECONDS)


def events(enterprise_id: str, count: int) -> list[TriggerEvent]:
    return [TriggerEvent("order", ("u1",), {}, {}, f"xnovu.{number}", enterprise_id) for number in range(count)]


def test_two_workers_keep_an_enterprise_s_rate_together_and_others_go_at_once() -> None:
    async def scene() -> Deployment:
        deployment = Deployment(acme=20.0)
        one, other = deployment.worker(), deployment.worker()
        until = 60.0

        async def send(worker: OwnRateTrigger) -> None:
            while now() < until:
                await worker.trigger(events("acme", 100))

        async def send_of_others() -> None:
            while now() < until:
                await one.trigger(events("globex", 100))
                await asyncio.sleep(1)

        await asyncio.gather(send(one), send(one), send(other), send_of_others())
        return deployment

    deployment = run_virtually(scene())

    acme = deployment.novu.of("acme")
    for begin in range(0, 50, 5):
        within = sum(count for at, count in acme if begin <= at < begin + 10)
        assert within <= 20.0 * 10 + 20.0 * 3, "its rate, and what gathers in two seconds and is kept for one"
    assert sum(count for _, count in acme) >= 20.0 * 60 * 0.9
    assert [count for _, count in deployment.novu.of("globex")] == [100] * 60


def test_what_has_no_token_in_time_is_put_off_and_nothing_else_is() -> None:
    async def scene() -> list[TriggerResult]:
        return await Deployment(acme=5.0).worker().trigger(events("acme", 100))

    results = run_virtually(scene())

    sent = sum(isinstance(result, TriggerAccepted) for result in results)
    assert 50 <= sent <= 60
    assert results[:sent] == [TriggerAccepted()] * sent
    for result in results[sent:]:
        assert isinstance(result, TriggerFault)
        assert result.code is FaultCode.ENTERPRISE_RATE
        assert result.retry_after_seconds is not None
        assert result.retry_after_seconds >= 1


def test_a_single_does_not_wait_behind_its_own_enterprise_s_bulk() -> None:
    async def scene() -> float:
        worker = Deployment(acme=10.0).worker()
        bulk = [asyncio.create_task(worker.trigger(events("acme", 100))) for _ in range(3)]
        await asyncio.sleep(3)
        began = now()
        assert await worker.trigger(events("acme", 1)) == [TriggerAccepted()]
        took = now() - began
        await asyncio.gather(*bulk)
        return took

    assert run_virtually(scene()) < 1.5


def test_a_rate_that_is_changed_or_taken_back_counts_at_once() -> None:
    async def scene() -> list[float]:
        deployment = Deployment(acme=1.0)
        worker = OwnRateTrigger(deployment.novu, OwnRates(deployment.rates.get, deployment.tokens), patience_seconds=60)
        lasted = []
        for rate in (1.0, 1000.0, None):
            deployment.rates.pop("acme")
            if rate is not None:
                deployment.rates["acme"] = rate
            began = now()
            assert await worker.trigger(events("acme", 20)) == [TriggerAccepted()] * 20
            lasted.append(now() - began)
        return lasted

    slow, fast, unbounded = run_virtually(scene())
    assert slow > 15
    assert fast < 2
    assert unbounded == 0


def test_deliveries_begin_by_their_enterprise_s_own_rate_and_others_by_theirs() -> None:
    own = {"acme": 10.0}
    turns = Turns(lambda: None, lambda: None, large_at_once=50, own_pace=own.get, clock=lambda: 1000.0)

    first = turns.enter("acme", 250, returning=False)
    second = turns.enter("acme", 250, returning=False)

    assert first is None
    assert second is not None
    assert second.code is FaultCode.ENTERPRISE_RATE
    assert turns.enter("acme", 1, returning=False) is None, "a single of the same enterprise"
    assert [turns.enter("globex", 250, returning=False) for _ in range(100)] == [None] * 100


def test_who_has_a_small_rate_leaves_the_rest_of_his_share() -> None:
    def put_off_behind(rate: float | None) -> float:
        turns = Turns(
            lambda: 60.0,
            lambda: None,
            large_at_once=50,
            own_pace=lambda enterprise_id: rate if enterprise_id == "acme" else None,
            clock=lambda: 1000.0,
            chance=lambda: 0.5,
        )
        turns.enter("acme", 250, returning=False)
        turns.enter("globex", 250, returning=False)
        put_off = turns.enter("globex", 250, returning=False)
        assert put_off is not None
        assert put_off.code is FaultCode.NOVU_RATE
        return put_off.seconds

    assert put_off_behind(1.0) == pytest.approx(put_off_behind(None) / 2)
    assert put_off_behind(1000.0) == pytest.approx(put_off_behind(None))


def test_while_its_own_rate_is_closed_nothing_of_the_enterprise_begins() -> None:
    closed = PutOff(30.0, FaultCode.ENTERPRISE_RATE, "used up")
    turns = Turns(lambda: None, lambda: None, large_at_once=50, own_closed={"acme": closed}.get)

    assert turns.enter("acme", 1, returning=False) is closed
    assert turns.enter("globex", 1, returning=False) is None
