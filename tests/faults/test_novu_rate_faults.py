"""Each await of the tokens by which Novu's rate is shared meets a foreign exception: it costs a request its turn, at
most, and the next ones get theirs.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import pytest
from postgrest import AsyncPostgrestClient

from shared.novu.rates import RateKeeper, limits_of
from shared.ports import TriggerAccepted, TriggerEvent, TriggerResult
from shared.supabase import novu_token_store
from shared.supabase.novu_token_store import SupabaseNovuTokens, enterprise_tokens
from tests.faults.await_points import await_points
from tests.faults.injector import Foreign, raising_once_at_each
from worker.own_rates import OwnRates, OwnRateTrigger

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

POINTS = await_points("shared.novu.rates.keeper", "shared.supabase.novu_token_store", "worker.own_rates")


async def gives_what_is_needed(client: object, function: str, **arguments: Any) -> dict[str, Any]:
    """As the database answers."""
    return {"granted": arguments.get("p_needed"), "wait_seconds": 0.001, "unpaid_since": None}


def a_keeper() -> RateKeeper:
    return RateKeeper(SupabaseNovuTokens(cast(AsyncPostgrestClient, None)), limits_of("free", {}), probe_seconds=0.001)


class Novu:
    """Port `NotificationTrigger`: takes everything."""

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        return [TriggerAccepted() for _ in events]


async def send_of_some_with_a_rate_of_their_own() -> bool:
    """Whether an enterprise without a rate, and one with, have their events taken."""
    rates = OwnRates(
        lambda enterprise_id: 100.0 if enterprise_id == "acme" else None,
        partial(enterprise_tokens, cast(AsyncPostgrestClient, None)),
    )
    trigger = OwnRateTrigger(Novu(), rates, patience_seconds=5)
    results: list[TriggerResult] = []
    for enterprise_id in ("globex", "acme"):
        event = TriggerEvent("order", ("u1",), {}, {}, "xnovu.key", enterprise_id)
        with suppress(Foreign):
            results += await trigger.trigger([event])
    return results == [TriggerAccepted()] * 2


async def ask_everything() -> bool:
    """A request gets its turn; Novu answers that the rate is used up, that it is to be paid, that it has been paid.
    Whether a keeper that went through all of it gives turns again.
    """
    keeper = a_keeper()
    for status in (402, 201):
        with suppress(Foreign):
            await keeper.heed("trigger", status, {})
    with suppress(Foreign):
        await a_keeper().heed("trigger", 429, {"Retry-After": "1"})
    with suppress(Foreign):
        await keeper.take("trigger", "acme", within_seconds=0.05)
    return await keeper.take("trigger", "globex", within_seconds=5) is None


async def test_an_await_of_the_shared_rate_that_fails_costs_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(novu_token_store, "call_function", gives_what_is_needed)
    monkeypatch.setattr("shared.novu.rates.keeper.STORE_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("shared.novu.rates.keeper.KEPT_SECONDS", 0.0)
    with raising_once_at_each(POINTS) as fired:
        for _ in POINTS:
            with suppress(Foreign):
                await ask_everything()
            await send_of_some_with_a_rate_of_their_own()

    assert not [str(point) for point in POINTS if point not in fired], "the scene does not come here"
    assert await ask_everything()
    assert await send_of_some_with_a_rate_of_their_own()
