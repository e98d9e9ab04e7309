"""What `DELETE /v1/events/trigger/{transactionId}` answers, and what is sent all the same."""

from __future__ import annotations

import httpx

from tests.contract.novu.events import event_body
from tests.contract.novu.made import ADA, jobs, make, step
from tests.contract.novu.sink_process import SinkProcess

_TRIGGER = "/v1/events/trigger"


async def _cancel(api: httpx.AsyncClient, transaction_id: str = "t1") -> bool:
    answer = await api.delete(f"{_TRIGGER}/{transaction_id}")
    assert answer.status_code == 200
    cancelled: bool = answer.json()["data"]
    return cancelled


async def test_what_was_never_seen_is_false(api: httpx.AsyncClient) -> None:
    assert not await _cancel(api, "never-seen")


async def test_what_was_sent_is_false(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await api.post(_TRIGGER, json=event_body())
    sink.truth()

    assert not await _cancel(api)


async def test_what_is_queued_is_false_and_will_be_sent(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(worker={"paused": True})
    await api.post(_TRIGGER, json=event_body())

    assert not await _cancel(api)
    sink.settings(worker={"paused": False})

    assert sink.truth()["sent"] == {"in_app": 1}


async def test_what_a_delay_holds_back_is_true_once_and_not_sent(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, step("delay", type="regular", amount=1, unit="hours"), step("in_app", body="late"))
    await api.post(_TRIGGER, json=event_body(name="made", to=ADA))
    while not (await api.get("/v1/notifications")).json()["data"]:
        pass
    assert [job["status"] for job in await jobs(api)] == ["delayed", "pending"]

    assert await _cancel(api)

    assert not await _cancel(api)
    assert [job["status"] for job in await jobs(api)] == ["canceled", "canceled"]
    assert sink.calls()[0]["cancelled"]


async def test_a_delay_that_is_over_lets_the_rest_go(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, step("delay", type="regular", amount=0.1, unit="seconds"), step("in_app", body="late"))

    await api.post(_TRIGGER, json=event_body(name="made", to=ADA))

    assert sink.ends()["in_app"] == {"sent": 1}
