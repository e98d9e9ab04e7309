"""The sink refuses what Novu refuses, in Novu's words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SinkProcess

TOO_MUCH = "x" * (512 * 1024)


async def test_a_well_formed_event_is_acknowledged(novu: httpx.AsyncClient) -> None:
    answer = await novu.post("/trigger", json=event_body("t1"))

    assert answer.status_code == 201
    assert answer.json() == {"data": {"acknowledged": True, "status": "processed", "transactionId": "t1"}}


async def test_an_event_without_transaction_id_is_given_one(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    body = event_body()
    del body["transactionId"]

    answer = await novu.post("/trigger", json=body)

    assert sink.transaction_ids() == [answer.json()["data"]["transactionId"]]


@pytest.mark.parametrize("authorization", ["ApiKey another-key", "Bearer a-novu-key-for-tests", ""])
@pytest.mark.parametrize("path", ["/trigger", "/trigger/bulk"])
async def test_a_wrong_key_is_refused(
    novu: httpx.AsyncClient, sink: SinkProcess, path: str, authorization: str
) -> None:
    answer = await novu.post(path, json=event_body(), headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert sink.summary()["events"] == 0


async def test_cancelling_needs_the_key_too(novu: httpx.AsyncClient) -> None:
    answer = await novu.delete("/trigger/t1", headers={"Authorization": "ApiKey another-key"})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body", [b"{", b'{"name": "welcome", "to": "ada", "payload": {"n": NaN}}', b'{"name": "\xff"}', b"[]", b""]
)
async def test_a_body_that_is_no_json_object_is_refused(novu: httpx.AsyncClient, body: bytes) -> None:
    assert (await novu.post("/trigger", content=body)).status_code == 400


@pytest.mark.parametrize(
    ("field", "wrong", "complaint"),
    [
        ("name", 7, "name must be a string"),
        ("name", "", "name should not be empty"),
        ("to", None, "to should not be null or undefined"),
        ("to", 7, "to must be a subscriber, a topic or a list of them"),
        ("to", ["ada"] * 101, "to must contain no more than 100 elements"),
        ("payload", "text", "payload must be an object"),
        ("overrides", [], "overrides must be an object"),
        ("transactionId", 7, "transactionId must be a string"),
    ],
)
async def test_a_wrong_field_is_refused(
    novu: httpx.AsyncClient, sink: SinkProcess, field: str, wrong: Any, complaint: str
) -> None:
    body = event_body(**{field: wrong})

    single = await novu.post("/trigger", json=body)
    bulk = await novu.post("/trigger/bulk", json={"events": [body, event_body("t2")]})

    assert single.status_code == 422
    assert single.json()["errors"][field]["messages"] == [complaint]
    assert bulk.status_code == 201
    assert [item["status"] for item in bulk.json()["data"]] == ["error", "processed"]
    assert bulk.json()["data"][0]["error"] == [complaint]
    assert sink.summary()["delivered"] == 1


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        (None, "events must be an array"),
        ([], "events should not be empty"),
        ([event_body()] * 101, "events must contain no more than 100 elements"),
    ],
)
async def test_a_wrong_list_of_events_is_refused(novu: httpx.AsyncClient, events: Any, complaint: str) -> None:
    answer = await novu.post("/trigger/bulk", json={"events": events})

    assert answer.status_code == 422
    assert answer.json()["errors"]["events"]["messages"] == [complaint]


async def test_an_event_above_512_kilobytes_is_refused(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    heavy = event_body("t2", payload={"text": TOO_MUCH})

    single = await novu.post("/trigger", json=heavy)
    bulk = await novu.post("/trigger/bulk", json={"events": [event_body("t1"), heavy]})

    assert single.status_code == bulk.status_code == 413
    assert "exceeds maximum allowed size of 524288 bytes (512KB)" in single.json()["message"]
    assert 'Event at index 1 (workflow: "welcome")' in bulk.json()["message"]
    assert sink.summary()["events"] == 0


async def test_attachments_do_not_count_towards_the_limit(novu: httpx.AsyncClient) -> None:
    answer = await novu.post("/trigger", json=event_body(payload={"attachments": [{"file": TOO_MUCH}]}))

    assert answer.status_code == 201


async def test_the_events_of_a_bulk_request_are_measured_one_by_one(novu: httpx.AsyncClient) -> None:
    halves = [event_body(f"t{n}", payload={"text": TOO_MUCH[: 400 * 1024]}) for n in range(3)]

    assert (await novu.post("/trigger/bulk", json={"events": halves})).status_code == 201


async def test_an_unknown_workflow_is_refused(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.set_workflows(welcome="unknown")

    single = await novu.post("/trigger", json=event_body())
    bulk = await novu.post("/trigger/bulk", json={"events": [event_body()]})

    assert (single.status_code, single.json()["message"]) == (422, "workflow_not_found")
    assert bulk.json()["data"] == [{"acknowledged": True, "status": "error", "error": ["workflow_not_found"]}]


@pytest.mark.parametrize(
    "state", ["trigger_not_active", "no_workflow_steps_defined", "no_workflow_active_steps_defined", "no_tenant_found"]
)
async def test_a_workflow_that_cannot_run_is_acknowledged_and_not_processed(
    novu: httpx.AsyncClient, sink: SinkProcess, state: str
) -> None:
    sink.set_workflows(welcome=state)

    answer = await novu.post("/trigger", json=event_body())

    assert answer.status_code == 201
    assert answer.json() == {"data": {"acknowledged": True, "status": state}}
    assert sink.summary()["delivered"] == 0


@pytest.mark.parametrize("to", [[], [""], ["  "], [{"firstName": "Ada"}]])
async def test_an_event_for_nobody_has_invalid_recipients(novu: httpx.AsyncClient, to: Any) -> None:
    answer = await novu.post("/trigger", json=event_body(to=to))

    assert answer.json()["data"]["status"] == "invalid_recipients"


async def test_subscribers_and_topics_are_recipients(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    await novu.post(
        "/trigger", json=event_body(to=[{"subscriberId": "ada"}, {"type": "Topic", "topicKey": "all"}, "b"])
    )

    assert sink.summary()["recipients"] == 3


@pytest.mark.parametrize(("method", "path"), [("POST", "/trigger/broadcast"), ("GET", "/trigger"), ("GET", "/")])
async def test_an_endpoint_that_the_sink_does_not_have_is_not_found(
    novu: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await novu.request(method, path)

    assert answer.status_code == 404
    assert answer.json()["message"].startswith(f"Cannot {method} /v1/events")
