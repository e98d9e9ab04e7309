"""What becomes of a transaction id that is used again: it depends on what the worker has stored by then."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SinkProcess

_TRIGGER = "/v1/events/trigger"
_DUPLICATE = "duplicate: its transaction id has jobs already"


async def test_once_the_first_is_delivered_the_second_is_dropped(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await api.post(_TRIGGER, json=event_body())
    sink.truth()

    again = await api.post(_TRIGGER, json=event_body())

    assert again.json()["data"]["status"] == "processed"
    assert sink.truth()["sent"] == {"in_app": 1}
    assert sink.truth()["dropped_by_reason"] == {_DUPLICATE: 1}


async def test_50_ms_apart_on_an_idle_system_is_once(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await api.post(_TRIGGER, json=event_body())
    await asyncio.sleep(0.05)
    await api.post(_TRIGGER, json=event_body())

    assert sink.truth()["sent"] == {"in_app": 1}


async def test_four_at_once_are_four(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(worker={"storing_seconds": 1})

    await asyncio.gather(*(api.post(_TRIGGER, json=event_body()) for _ in range(4)))

    assert sink.truth()["sent"] == {"in_app": 4}
    assert sink.truth()["twice"] == 1


async def test_twice_in_one_bulk_is_twice(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await api.post(f"{_TRIGGER}/bulk", json={"events": [event_body(), event_body()]})

    assert sink.truth()["sent"] == {"in_app": 2}


async def test_apart_while_the_worker_is_stopped_is_twice(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(worker={"paused": True})
    await api.post(_TRIGGER, json=event_body())
    await asyncio.sleep(0.1)
    await api.post(_TRIGGER, json=event_body())
    assert sink.summary()["waiting"] == 2

    sink.settings(worker={"paused": False})

    assert sink.truth()["sent"] == {"in_app": 2}


async def test_behind_a_backlog_the_repeat_of_a_lost_answer_is_twice(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(worker={"delay_seconds": [0.3, 0.3], "storing_seconds": 1})
    sink.fail({"kind": "reset_connection"})

    with pytest.raises(httpx.TransportError):
        await api.post(_TRIGGER, json=event_body())
    await api.post(_TRIGGER, json=event_body())

    assert sink.truth()["sent"] == {"in_app": 2}


async def test_after_the_retention_it_is_sent_again(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(activity={"retention_hours": 0.2 / 3600})
    await api.post(_TRIGGER, json=event_body())
    sink.truth()
    await asyncio.sleep(0.25)

    await api.post(_TRIGGER, json=event_body())

    assert sink.truth()["sent"] == {"in_app": 2}


async def test_recipients_and_workflow_do_not_matter(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await api.post(_TRIGGER, json=event_body())
    sink.truth()

    await api.post(_TRIGGER, json=event_body(name="bye", to=["somebody-else"]))

    assert [one["subscriber"] for one in sink.truth()["people"] if one.get("sent")] == ["ada"]


async def test_an_event_that_reached_nobody_does_not_use_up_its_id(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await api.post(_TRIGGER, json=event_body(to=[]))
    sink.truth()

    await api.post(_TRIGGER, json=event_body())

    assert sink.truth()["sent"] == {"in_app": 1}


async def test_environments_know_nothing_of_each_others_ids(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.order("workflows", make=["welcome"], environment="Production")
    key = {"Authorization": f"ApiKey {sink.environment('Production')['key']}"}
    await api.post(_TRIGGER, json=event_body())
    sink.truth()

    await api.post(_TRIGGER, json=event_body(), headers=key)

    assert sink.truth(environment="Production")["sent"] == {"in_app": 1}


@pytest.mark.parametrize("how", ["reset", "silence"])
async def test_answers_can_be_lost_after_everything_was_taken(
    api: httpx.AsyncClient, sink: SinkProcess, how: str
) -> None:
    sink.settings(answers={"lost_share": 1, "lost_by": how})

    with pytest.raises((httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)):
        await api.post(_TRIGGER, json=event_body(), timeout=0.3)

    assert sink.truth()["sent"] == {"in_app": 1}
    assert [call["answer"] for call in sink.calls()] == [None]


async def test_a_slow_answer_takes_as_long_as_it_is_told(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(answers={"delay_seconds": [0.2, 0.3]})

    started = time.monotonic()
    await api.post(_TRIGGER, json=event_body())

    assert time.monotonic() - started >= 0.2


async def test_events_are_told_apart_by_what_their_payload_says(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    for transaction_id in ("first-try", "second-try"):
        await api.post(_TRIGGER, json=event_body(transaction_id, payload={"row": 7}))

    assert sink.truth()["twice"] == 0
    [person] = [one for one in sink.truth(by="payload.row")["people"] if one.get("sent")]
    assert (person["event"], person["sent"]) == ("7", 2)


class TestIdempotencyKey:
    """`Idempotency-Key`: on where Novu was asked for it, and without any effect elsewhere."""

    @staticmethod
    async def _send(api: httpx.AsyncClient, key: str = "k1", **fields: Any) -> httpx.Response:
        return await api.post(_TRIGGER, json=event_body(**fields), headers={"Idempotency-Key": key})

    async def test_off_it_does_nothing(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(worker={"storing_seconds": 1})

        answers = await asyncio.gather(*(self._send(api) for _ in range(4)))

        assert {answer.status_code for answer in answers} == {201}
        assert sink.truth()["sent"] == {"in_app": 4}

    async def test_on_four_at_once_are_one_and_three_409(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(idempotency=True, answers={"delay_seconds": [0.5, 0.5]})

        answers = await asyncio.gather(*(self._send(api) for _ in range(4)))

        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 409)
        assert sink.truth()["sent"] == {"in_app": 1}

    async def test_the_answer_is_replayed_and_says_so(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(idempotency=True)

        first, second = await self._send(api), await self._send(api)

        assert (second.status_code, second.json()) == (201, first.json())
        assert second.headers["idempotency-replay"] == "true"
        assert "idempotency-replay" not in first.headers
        assert len(sink.calls()) == 1

    async def test_another_body_under_the_same_key_is_422(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(idempotency=True)
        await self._send(api)

        assert (await self._send(api, payload={"n": 2})).status_code == 422

    async def test_errors_are_kept_too(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(idempotency=True)
        sink.fail({"kind": "server_error"})

        answers = [await self._send(api), await self._send(api), await self._send(api, key="k2")]

        assert [answer.status_code for answer in answers] == [500, 500, 201]

    async def test_a_rate_limit_is_not_kept(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(idempotency=True)
        sink.fail({"kind": "rate_limited"})

        answers = [await self._send(api), await self._send(api)]

        assert [answer.status_code for answer in answers] == [429, 201]

    async def test_a_key_is_the_organisations(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(idempotency=True)
        production = {"Authorization": f"ApiKey {sink.environment('Production')['key']}", "Idempotency-Key": "k1"}
        await self._send(api)

        answer = await api.post(_TRIGGER, json=event_body(), headers=production)

        assert answer.headers["idempotency-replay"] == "true"

    async def test_a_key_above_255_characters_is_400(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(idempotency=True)

        assert (await self._send(api, key="k" * 256)).status_code == 400
        assert (await self._send(api, key="k" * 255)).status_code == 201

    async def test_a_lost_answer_is_replayed(self, api: httpx.AsyncClient, sink: SinkProcess) -> None:
        sink.settings(idempotency=True, worker={"delay_seconds": [0.2, 0.2]})
        sink.fail({"kind": "reset_connection"})
        with pytest.raises(httpx.TransportError):
            await self._send(api)

        again = await self._send(api)

        assert (again.status_code, again.headers["idempotency-replay"]) == (201, "true")
        assert sink.truth()["sent"] == {"in_app": 1}
