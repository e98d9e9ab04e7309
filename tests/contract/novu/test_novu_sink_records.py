"""The sink delivers each transaction once, and tells afterwards everything it was sent."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess


async def test_a_repeated_transaction_id_is_acknowledged_but_delivered_once(
    novu: httpx.AsyncClient, sink: SinkProcess
) -> None:
    answers = [await novu.post("/trigger", json=event_body("t1", to=["ada", "bob"]))]
    sink.truth()
    answers.append(await novu.post("/trigger", json=event_body("t1", to=["ada", "bob"])))

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [call["duplicate"] for call in sink.calls()] == [False, True]
    summary = sink.summary()
    assert (summary["events"], summary["delivered"], summary["duplicates"]) == (2, 1, 1)
    assert summary["recipients"] == 2


async def test_a_transaction_id_twice_in_one_bulk_request_is_delivered_twice(
    novu: httpx.AsyncClient, sink: SinkProcess
) -> None:
    await novu.post("/trigger/bulk", json={"events": [event_body("t1"), event_body("t1")]})

    assert [call["duplicate"] for call in sink.calls()] == [False, False]


async def test_a_refused_event_does_not_use_up_its_transaction_id(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.fail({"kind": "event_status", "status": "trigger_not_active", "workflow": "welcome"})
    await novu.post("/trigger", json=event_body("t1"))
    sink.client.delete("/_sink/faults")

    await novu.post("/trigger", json=event_body("t1"))

    assert [(call["status"], call["duplicate"]) for call in sink.calls()] == [
        ("trigger_not_active", None),
        ("processed", False),
    ]


async def test_a_call_is_recorded_as_it_was_sent(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    before = time.time_ns()

    await novu.post("/trigger/bulk", json={"events": [event_body("t1"), event_body("t2", overrides={"sms": {"a": 1}})]})

    first, second = sink.calls()
    assert first["request_id"] == second["request_id"]
    assert before < first["received_at_ns"] < time.time_ns()
    assert second["workflow"] == "welcome"
    assert second["recipients"] == ["ada"]
    assert second["payload"] == {"n": 1}
    assert second["overrides"] == {"sms": {"a": 1}}


async def test_calls_can_be_chosen(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    await novu.post(
        "/trigger/bulk", json={"events": [event_body("a.1"), event_body("b.1", name="bye"), event_body("a.2")]}
    )

    assert [call["transaction_id"] for call in sink.calls(transaction_id_prefix="a.")] == ["a.1", "a.2"]
    assert [call["transaction_id"] for call in sink.calls(workflow="bye")] == ["b.1"]
    assert [call["transaction_id"] for call in sink.calls(limit="1")] == ["a.1"]


async def test_the_summary_counts_by_workflow_and_by_answer(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    await novu.post("/trigger/bulk", json={"events": [event_body("t1"), event_body("t2", name="bye", to=["a", "b"])]})
    await novu.post("/trigger", json={})

    summary = sink.summary()
    assert summary["requests"] == 2
    assert summary["answers"] == {"201": 1, "422": 1}
    assert summary["workflows"]["bye"] == {
        "events": 1,
        "delivered": 1,
        "recipients": 2,
        "duplicates": 0,
        "refused": 0,
    }


async def test_a_transaction_can_be_cancelled_once(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(cancelling="all_taken")
    await novu.post("/trigger", json=event_body("xnovu.ent1/42"))

    answers = [(await novu.delete("/trigger/xnovu.ent1%2F42")).json() for _ in range(2)]
    unknown = (await novu.delete("/trigger/never-seen")).json()

    assert answers == [{"data": True}, {"data": False}]
    assert unknown == {"data": False}
    assert sink.calls()[0]["cancelled"]
    assert sink.summary()["cancelled"] == 1


async def test_a_reset_forgets_transaction_ids(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    await novu.post("/trigger", json=event_body("t1"))

    sink.reset()
    sink.make_workflows("welcome")
    await novu.post("/trigger", json=event_body("t1"))

    assert sink.summary()["delivered"] == 1
    assert sink.summary()["duplicates"] == 0


def test_a_killed_sink_remembers_by_its_record_file(tmp_path: Path) -> None:
    record = tmp_path / "calls.jsonl"
    settings = '{"cancelling": "all_taken"}'
    with SinkProcess.started("--record", str(record), "--settings", settings) as sink:
        sink.make_workflows("welcome")
        _post(sink, "t1")
        _post(sink, "t2")
        _cancel(sink, "t2")
        sink.process.kill()
        sink.process.wait(10)
    with record.open("ab") as file:
        file.write(b'{"request_id": 3, "cut off')

    with SinkProcess.started("--record", str(record), "--settings", settings) as sink:
        _post(sink, "t1")
        calls = sink.calls()

    assert [(call["transaction_id"], call["duplicate"], call["cancelled"]) for call in calls] == [
        ("t1", False, False),
        ("t2", False, True),
        ("t1", True, False),
    ]
    assert [call["payload"] for call in calls] == [{"n": 1}] * 3
    assert b"cut off" not in record.read_bytes()


def _post(sink: SinkProcess, transaction_id: str) -> None:
    headers = {"Authorization": f"ApiKey {SECRET_KEY}"}
    body = event_body(transaction_id)
    sink.client.post("/v1/events/trigger", json=body, headers=headers).raise_for_status()


def _cancel(sink: SinkProcess, transaction_id: str) -> None:
    headers = {"Authorization": f"ApiKey {SECRET_KEY}"}
    sink.client.delete(f"/v1/events/trigger/{transaction_id}", headers=headers).raise_for_status()
