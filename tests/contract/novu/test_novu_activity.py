"""`GET /v1/notifications` and `GET /v1/messages`: what became of events, as far as Novu tells."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.novu.events import event_body
from tests.contract.novu.made import ADA, make, send, step
from tests.contract.novu.sink_process import SinkProcess

_NOTIFICATIONS = "/v1/notifications"
_MESSAGES = "/v1/messages"


async def _get(api: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    answer = await api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_there_is_one_entry_for_each_subscriber(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, step("email", body="<p>a</p>"), step("sms", body="a"))

    await send(api, sink, to=[ADA, "bob"])

    entries = (await _get(api, _NOTIFICATIONS, transactionId="t1"))["data"]
    assert {entry["subscriber"]["subscriberId"] for entry in entries} == {"ada", "bob"}
    for entry in entries:
        assert (entry["transactionId"], entry["channels"]) == ("t1", ["email", "sms"])
        assert {"type", "status", "providerId", "executionDetails"} <= set(entry["jobs"][0])
        assert {"detail", "status", "createdAt"} <= set(entry["jobs"][0]["executionDetails"][0])
    by_subscriber = {entry["subscriber"]["subscriberId"]: entry["jobs"] for entry in entries}
    assert [job["status"] for job in by_subscriber["ada"]] == ["completed", "completed"]
    assert by_subscriber["ada"][0]["executionDetails"][-1]["detail"] == "Message sent"
    assert [job["status"] for job in by_subscriber["bob"]] == ["failed", "failed"]


async def test_there_is_one_message_for_each_person_and_channel(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, step("email", subject="Hello", body="<p>a</p>"), step("sms", body="b"))

    await send(api, sink)

    found = {one["channel"]: one for one in (await _get(api, _MESSAGES, transactionId="t1"))["data"]}
    assert (found["email"]["email"], found["email"]["subject"]) == (ADA["email"], "Hello")
    assert (found["sms"]["phone"], found["sms"]["content"]) == (ADA["phone"], "b")
    for one in found.values():
        assert (one["status"], one["seen"], one["read"], one["deliveredAt"]) == ("sent", False, False, [])
        assert (one["errorId"], one["errorText"]) == (None, None)


@pytest.mark.parametrize("path", [_NOTIFICATIONS, _MESSAGES])
async def test_a_hundred_recipients_are_a_hundred_entries_in_pages(
    api: httpx.AsyncClient, sink: SinkProcess, path: str
) -> None:
    await make(api, step("in_app", body="a"))
    await send(api, sink, to=[f"s{number}" for number in range(100)])

    pages = [await _get(api, path, transactionId="t1", limit=50, page=page) for page in range(3)]

    assert [(len(page["data"]), page["hasMore"]) for page in pages] == [(50, True), (50, False), (0, False)]
    assert [(page["page"], page["pageSize"]) for page in pages] == [(0, 50), (1, 50), (2, 50)]
    assert len({entry["_id"] for page in pages for entry in page["data"]}) == 100


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 51}, {"limit": "many"}, {"page": -1}, {"after": "yesterday"}]
)
async def test_a_wrong_page_is_refused(api: httpx.AsyncClient, query: dict[str, Any]) -> None:
    assert (await api.get(_NOTIFICATIONS, params=query)).status_code == 422


@pytest.mark.parametrize("path", [_NOTIFICATIONS, _MESSAGES])
async def test_several_transaction_ids_can_be_asked_at_once(
    api: httpx.AsyncClient, sink: SinkProcess, path: str
) -> None:
    for number in (1, 2, 3):
        await api.post("/v1/events/trigger", json=event_body(f"t{number}"))
    sink.truth()

    found = await _get(api, path, transactionId=["t1", "t3", "unknown"])

    assert {entry["transactionId"] for entry in found["data"]} == {"t1", "t3"}


async def test_entries_can_be_chosen(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, step("sms", body="a"))
    await send(api, sink, to=["ada", "bob"])

    assert len((await _get(api, _NOTIFICATIONS, subscriberIds="bob"))["data"]) == 1
    assert len((await _get(api, _NOTIFICATIONS, channels="sms"))["data"]) == 2
    assert (await _get(api, _NOTIFICATIONS, channels="email"))["data"] == []
    assert (await _get(api, _NOTIFICATIONS, after="2999-01-01T00:00:00Z"))["data"] == []
    assert (await _get(api, _NOTIFICATIONS, before="2020-01-01T00:00:00Z"))["data"] == []


async def test_nothing_shows_before_the_worker_took_the_event(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(worker={"paused": True})
    await api.post("/v1/events/trigger", json=event_body())
    before = (await _get(api, _NOTIFICATIONS, transactionId="t1"))["data"]

    sink.settings(worker={"paused": False})
    sink.truth()

    assert before == []
    assert len((await _get(api, _NOTIFICATIONS, transactionId="t1"))["data"]) == 1


async def test_a_dropped_duplicate_shows_nowhere(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    for _ in range(2):
        await api.post("/v1/events/trigger", json=event_body())
        sink.truth()

    assert len((await _get(api, _NOTIFICATIONS, transactionId="t1"))["data"]) == 1


@pytest.mark.parametrize("path", [_NOTIFICATIONS, _MESSAGES])
async def test_entries_show_late_and_are_kept_for_a_while(api: httpx.AsyncClient, sink: SinkProcess, path: str) -> None:
    await api.post("/v1/events/trigger", json=event_body())
    sink.truth()

    shown = []
    for activity in ({"delay_seconds": 3600}, {"delay_seconds": 0}, {"retention_hours": 1e-6}):
        sink.settings(activity=activity)
        shown.append(len((await _get(api, path))["data"]))

    assert shown == [0, 1, 0]


@pytest.mark.parametrize(("plan", "hours"), [("free", 24), ("pro", 7 * 24), ("team", 90 * 24)])
async def test_plans_keep_entries_for_their_time(
    api: httpx.AsyncClient, sink: SinkProcess, plan: str, hours: int
) -> None:
    sink.settings(plan=plan)
    await api.post("/v1/events/trigger", json=event_body())

    assert sink.truth()["retention_hours"] == hours
