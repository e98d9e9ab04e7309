"""The sink fails as it is told to, and only as often."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import httpx
import pytest

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess


async def test_a_rate_limit_ends_after_the_given_number_of_requests(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.fail({"kind": "rate_limited", "requests": 2, "retry_after": "7"})

    answers = [await novu.post("/trigger", json=event_body()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 201]
    assert [answer.headers.get("retry-after") for answer in answers] == ["7", "7", None]
    assert sink.summary()["delivered"] == 1


async def test_faults_take_turns_in_the_order_given(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.fail({"kind": "rate_limited"}, {"kind": "server_error", "status": 503}, {"kind": "unauthorized"})

    answers = [await novu.post("/trigger", json=event_body()) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 503, 401, 201]


async def test_a_server_error_can_come_after_accepting(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.fail({"kind": "server_error", "status": 502, "accepted": True})

    answers = [await novu.post("/trigger", json=event_body(f"t{number}")) for number in (1, 2)]

    assert [answer.status_code for answer in answers] == [502, 201]
    assert [(call["answer"], call["duplicate"]) for call in sink.calls()] == [(502, False), (201, False)]


async def test_an_event_can_be_accepted_and_never_answered(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.fail({"kind": "accept_then_hang"})

    with pytest.raises(httpx.ReadTimeout):
        await novu.post("/trigger", json=event_body(), timeout=0.2)

    call = sink.calls()[0]
    assert call["answer"] is None
    assert not call["duplicate"]


def test_a_hanging_request_does_not_keep_the_sink_from_stopping() -> None:
    body = json.dumps(event_body()).encode()
    head = f"POST /v1/events/trigger HTTP/1.1\r\nHost: sink\r\nAuthorization: ApiKey {SECRET_KEY}\r\n"
    with SinkProcess.started() as sink:
        sink.make_workflows("welcome")
        sink.fail({"kind": "accept_then_hang"})
        address = sink.client.base_url
        with socket.create_connection((address.host, address.port or 80)) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            while not sink.calls():
                time.sleep(0.02)

            sink.process.terminate()

            assert sink.process.wait(60) is not None


async def test_an_answer_can_be_unreadable(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.fail({"kind": "unreadable_answer", "body": "<html>"})

    answer = await novu.post("/trigger", json=event_body())

    assert (answer.status_code, answer.text) == (201, "<html>")
    assert sink.summary()["delivered"] == 1


async def test_answers_can_be_slow(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.fail({"kind": "latency", "milliseconds": 150})

    started = time.monotonic()
    await novu.post("/trigger", json=event_body("t1"))
    slow = time.monotonic() - started

    assert slow >= 0.15
    received_at_ns = sink.calls()[0]["received_at_ns"]
    assert time.time_ns() - received_at_ns >= 150_000_000


@pytest.mark.parametrize("concerned", [{"workflow": "welcome"}, {"subscriber": "ada"}])
async def test_events_of_a_workflow_or_subscriber_can_be_given_another_status(
    novu: httpx.AsyncClient, sink: SinkProcess, concerned: dict[str, str]
) -> None:
    sink.fail({"kind": "event_status", "status": "error", "error": ["no"], **concerned})
    others = event_body("t2", name="bye", to="bob")

    answer = await novu.post("/trigger/bulk", json={"events": [event_body("t1"), others]})

    assert answer.json()["data"][0].items() >= {"acknowledged": True, "status": "error", "error": ["no"]}.items()
    assert answer.json()["data"][1]["status"] == "processed"


async def test_a_fault_can_be_kept_to_the_requests_of_one_workflow(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.fail({"kind": "server_error", "workflow": "poison", "requests": None})
    mixed = {"events": [event_body("t1"), event_body("t2", name="poison")]}

    statuses = [
        (await novu.post("/trigger", json=event_body())).status_code,
        (await novu.post("/trigger/bulk", json=mixed)).status_code,
        (await novu.post("/trigger/bulk", json=mixed)).status_code,
    ]

    assert statuses == [201, 500, 500]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "rate_limited"},
        [{"kind": "no_such_kind"}],
        [{"kind": "server_error", "status": 404}],
        [{"kind": "latency", "milliseconds": -1}],
        [{"kind": "rate_limited", "requests": 0}],
        [{"kind": "event_status"}],
        [{"kind": "unauthorized", "unheard_of": 1}],
    ],
)
def test_a_wrong_fault_is_refused_and_changes_nothing(sink: SinkProcess, wrong: Any) -> None:
    answer = sink.client.post("/_sink/faults", json=wrong)

    assert answer.status_code == 422
    assert sink.client.get("/_sink/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("workflows", {"make": "welcome"}),
        ("workflows", {"make": [], "unheard_of": 1}),
        ("integrations", {"channel": "pigeon", "active": True}),
        ("marks", {"message_id": "1", "marks": ["eaten"]}),
    ],
)
def test_a_wrong_order_is_refused(sink: SinkProcess, what: str, wrong: dict[str, Any]) -> None:
    assert sink.client.post(f"/_sink/{what}", json=wrong).status_code == 422


def test_an_order_for_an_environment_that_there_is_not_is_refused(sink: SinkProcess) -> None:
    order = {"make": ["welcome"], "environment": "Staging"}

    assert sink.client.post("/_sink/workflows", json=order).status_code == 404
    assert sink.client.get("/_sink/truth", params={"environment": "Staging"}).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"unheard_of": 1},
        {"generation": "2023"},
        {"worker": {"delay_seconds": [2, 1]}},
        {"provider_faults": [{"channel": "pigeon"}]},
        {"answers": {"lost_share": 2}},
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(sink: SinkProcess, wrong: dict[str, Any]) -> None:
    before = sink.client.get("/_sink/settings").json()

    answer = sink.client.patch("/_sink/settings", json=wrong)

    assert answer.status_code == 422
    assert sink.client.get("/_sink/settings").json() == before
