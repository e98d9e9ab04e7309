"""Webhooks: what is told of which message, how it is signed, and how often it is repeated."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.contract.novu.made import make, messages, send, step
from tests.contract.novu.sink_process import SinkProcess

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four b").decode()
_WITHIN_SECONDS = 60.0


class Receiver:
    """A server that notes each request, and answers with the statuses it was given, then with 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhook"

    def events(self, count: int) -> list[dict[str, Any]]:
        """All requests' bodies, once there are `count` of them: that is how many the test expects, and not one more."""
        deadline = time.monotonic() + _WITHIN_SECONDS
        while len(self.requests) < count:
            assert time.monotonic() < deadline, f"{len(self.requests)} of {count} requests"
            time.sleep(0.01)
        assert len(self.requests) == count
        return [json.loads(body) for _, body in self.requests]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def _listen(sink: SinkProcess, receiver: Receiver, **webhooks: Any) -> None:
    sink.settings(webhooks={"url": receiver.url, "secret": SECRET, "retry_seconds": [0, 0.05, 0.05], **webhooks})


async def test_a_sent_message_is_told(api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver) -> None:
    await make(api, step("sms", body="a"))
    _listen(sink, receiver)

    await send(api, sink)

    [event] = receiver.events(1)
    [message] = await messages(api)
    assert (event["type"], event["object"]) == ("message.sent", "message")
    assert event["id"].startswith("evt_")
    assert event["environmentId"] == sink.environment("Development")["identifier"]
    assert event["data"] == {"object": message}
    assert (
        message.items()
        >= {"transactionId": "t1", "subscriberId": "ada", "workflowId": "made", "channel": "sms"}.items()
    )


async def test_it_is_signed_over_id_time_and_raw_body(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    await make(api, step("sms", body="a"))
    _listen(sink, receiver)

    await send(api, sink)
    receiver.events(1)

    headers, body = receiver.requests[0]
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.new(b"a secret of twenty-four b", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"].split(" ") == [f"v1,{expected}"]
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


@pytest.mark.parametrize(
    ("kind", "told", "chat_failures_as_sent"),
    [("sms", "message.failed", True), ("chat", "message.sent", True), ("chat", "message.failed", False)],
)
async def test_a_providers_failure_is_told_with_its_error(
    api: httpx.AsyncClient,
    sink: SinkProcess,
    receiver: Receiver,
    kind: str,
    told: str,
    chat_failures_as_sent: bool,
) -> None:
    await make(api, step(kind, body="a"))
    _listen(sink, receiver, chat_failures_as_sent=chat_failures_as_sent)
    sink.settings(addresses="assumed", provider_faults=[{"raw": "550 no"}])

    await send(api, sink)

    [event] = receiver.events(1)
    assert (event["type"], event["data"]["error"]["message"]) == (told, "550 no")
    assert event["data"]["object"]["status"] == "error"


async def test_a_push_failure_names_the_device(api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver) -> None:
    await make(api, step("push", subject="a", body="a"))
    _listen(sink, receiver)
    sink.settings(addresses="assumed", provider_faults=[{}])

    await send(api, sink)

    [event] = receiver.events(1)
    assert set(event["data"]["error"]["push"]) == {"reason", "deviceToken"}


@pytest.mark.parametrize("told", [False, True])
async def test_a_missing_address_is_told_only_where_that_is_set(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver, told: bool
) -> None:
    await make(api, step("sms", body="a"), step("in_app", body="a"))
    _listen(sink, receiver, missing_address_fails=told)

    await send(api, sink, to=["nobody-yet"])

    kinds = sorted(event["type"] for event in receiver.events(1 + told))
    assert kinds == (["message.failed"] if told else []) + ["message.sent"]


async def test_skipped_steps_and_dropped_duplicates_are_not_told(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    await make(api, step("sms", body="a", skip={"!=": [{"var": "payload.rendered"}, None]}), step("in_app", body="a"))
    _listen(sink, receiver)

    await send(api, sink)
    await send(api, sink)
    await send(api, sink, transaction_id="t2")

    assert [event["data"]["object"]["channel"] for event in receiver.events(2)] == ["in_app", "in_app"]


@pytest.mark.parametrize(
    ("mark", "member"), [("delivered", "deliveredAt"), ("seen", "seen"), ("read", "read"), ("archived", "archived")]
)
async def test_what_a_person_does_is_told(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver, mark: str, member: str
) -> None:
    await make(api, step("in_app", body="a"))
    await send(api, sink)
    [message] = await messages(api)
    _listen(sink, receiver)

    sink.order("marks", message_id=message["_id"], marks=[mark])

    [event] = receiver.events(1)
    [marked] = await messages(api)
    assert event["type"] == f"message.{mark}"
    assert marked[member]


async def test_what_a_person_takes_back_is_told_too(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    await make(api, step("in_app", body="a"))
    await send(api, sink)
    [message] = await messages(api)
    _listen(sink, receiver)
    marks = ["read", "unread", "archived", "unarchived", "snoozed", "unsnoozed"]

    sink.order("marks", message_id=message["_id"], marks=marks)

    assert {event["type"] for event in receiver.events(6)} == {f"message.{mark}" for mark in marks}
    [marked] = await messages(api)
    assert (marked["seen"], marked["read"], marked["archived"]) == (True, False, False)


async def test_workflows_are_told_of(api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver) -> None:
    _listen(sink, receiver)

    await make(api)
    await api.patch("/v2/workflows/made", json={"description": "changed"})
    await api.put("/v2/workflows/made/sync", json={"targetEnvironmentId": sink.environment("Production")["id"]})
    await api.delete("/v2/workflows/made")

    events = {event["type"]: event for event in receiver.events(4)}
    assert set(events) == {f"workflow.{what}" for what in ("created", "updated", "published", "deleted")}
    assert events["workflow.updated"]["data"]["previousObject"]["description"] == ""


async def test_it_is_repeated_until_it_is_answered_with_2xx(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302]
    await make(api, step("sms", body="a"))
    _listen(sink, receiver)

    await send(api, sink)
    receiver.events(3)

    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    assert len({body for _, body in receiver.requests}) == 1
    assert _states(sink) == ["delivered"]


async def test_it_is_given_up_after_the_last_attempt(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    receiver.statuses = [500] * 5
    await make(api, step("sms", body="a"))
    _listen(sink, receiver)

    await send(api, sink)
    receiver.events(3)

    assert _states(sink) == ["given_up"]


async def test_after_nothing_but_failures_for_too_long_nothing_is_told_any_more(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    receiver.statuses = [500] * 10
    await make(api, step("sms", body="a"))
    _listen(sink, receiver, retry_seconds=[0], disabled_after_seconds=0.1)
    await send(api, sink)
    receiver.events(1)
    time.sleep(0.15)  # noqa: ASYNC251 (the sink is another process)

    await send(api, sink, transaction_id="t2")

    assert _states(sink) == ["given_up"]


@pytest.mark.parametrize(
    ("wrong", "requests"), [({"duplicate_share": 1}, 4), ({"lose_share": 1}, 0), ({"reorder_share": 1}, 2)]
)
async def test_events_can_be_doubled_lost_and_late(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver, wrong: dict[str, float], requests: int
) -> None:
    await make(api, step("in_app", body="a"))
    _listen(sink, receiver, **wrong)

    await send(api, sink, to=["ada", "bob"])
    receiver.events(requests)

    expected = "lost" if "lose_share" in wrong else "delivered"
    assert _states(sink) == [expected] * 2
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == (2 if requests else 0)


def _states(sink: SinkProcess) -> list[str]:
    """Of all events, once none is waiting."""
    deadline = time.monotonic() + _WITHIN_SECONDS
    while True:
        events = sink.client.get("/_sink/webhooks").json()["events"]
        states = [event["state"] for event in events]
        if "waiting" not in states:
            return states
        assert time.monotonic() < deadline
        time.sleep(0.01)
