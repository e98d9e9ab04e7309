"""Subscribers: one by one, in bulk, and their credentials."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.novu.made import make, messages, send, step
from tests.contract.novu.sink_process import SinkProcess

_ADA = {"subscriberId": "ada", "email": "ada@example.org", "firstName": "Ada", "data": {"plan": "gold"}}


async def test_one_is_created_and_read(api: httpx.AsyncClient) -> None:
    created = await api.post("/v2/subscribers", json=_ADA)

    found = (await api.get("/v2/subscribers/ada")).json()["data"]
    assert created.status_code == 201
    assert found.items() >= _ADA.items()


@pytest.mark.parametrize(("fail_if_exists", "status"), [("true", 409), ("false", 201)])
async def test_creating_again_changes_unless_it_shall_fail(
    api: httpx.AsyncClient, fail_if_exists: str, status: int
) -> None:
    await api.post("/v2/subscribers", json=_ADA)

    again = {"subscriberId": "ada", "phone": "+44 1"}
    answer = await api.post("/v2/subscribers", params={"failIfExists": fail_if_exists}, json=again)

    assert answer.status_code == status
    found = (await api.get("/v2/subscribers/ada")).json()["data"]
    assert (found["email"], found.get("phone")) == ("ada@example.org", "+44 1" if status == 201 else None)


async def test_absence_keeps_a_member(api: httpx.AsyncClient) -> None:
    await api.post("/v2/subscribers", json=_ADA)

    await api.patch("/v2/subscribers/ada", json={"lastName": "Lovelace"})

    found = (await api.get("/v2/subscribers/ada")).json()["data"]
    assert (found["firstName"], found["lastName"]) == ("Ada", "Lovelace")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_unknown_one_is_404(api: httpx.AsyncClient, method: str) -> None:
    answer = await api.request(method, "/v2/subscribers/nobody", json={} if method == "PATCH" else None)

    assert (answer.status_code, answer.json()["message"]) == (404, "Subscriber not found")


async def test_a_deleted_one_is_gone(api: httpx.AsyncClient) -> None:
    await api.post("/v2/subscribers", json=_ADA)

    assert (await api.delete("/v2/subscribers/ada")).status_code == 200
    assert (await api.get("/v2/subscribers/ada")).status_code == 404


@pytest.mark.parametrize(("generation", "left"), [("current", 0), ("2024", 1)])
async def test_messages_go_with_the_subscriber_or_stay_and_of_nobody_everybodys_are_listed(
    api: httpx.AsyncClient, sink: SinkProcess, generation: str, left: int
) -> None:
    await make(api, step("in_app", body="hello"))
    sink.client.patch("/_sink/settings", json={"generation": generation}).raise_for_status()
    await send(api, sink, to=["ada", "eve"])

    await api.delete("/v2/subscribers/ada")

    listed = await messages(api, subscriberId="ada")
    assert sorted(message["subscriber"]["subscriberId"] for message in listed) == ["ada"] * left + ["eve"]


async def test_a_message_is_deleted_once(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, step("in_app", body="hello"))
    await send(api, sink, to="ada")
    (message,) = await messages(api)

    answers = [await api.delete(f"/v1/messages/{message['_id']}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 404]
    assert await messages(api) == []


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"subscriberId": "b", "email": "no address"}, "email must be an email"),
        ({"email": "b@example.org"}, "subscriberId should not be empty"),
        ({"subscriberId": "b", "phone": 7}, "phone must be a string"),
        ({"subscriberId": "b", "data": []}, "data must be an object"),
    ],
)
@pytest.mark.parametrize(("generation", "status"), [("2024", 400), ("current", 422)])
async def test_one_invalid_member_refuses_the_whole_bulk(
    api: httpx.AsyncClient, sink: SinkProcess, wrong: dict[str, Any], complaint: str, generation: str, status: int
) -> None:
    sink.settings(generation=generation)

    one = await api.post("/v2/subscribers", json=wrong)
    bulk = await api.post("/v1/subscribers/bulk", json={"subscribers": [_ADA, {"subscriberId": "c"}, wrong]})

    assert (one.status_code, bulk.status_code) == (status, status)
    assert f"subscribers.2.{complaint}" in bulk.text
    assert (await api.get("/v2/subscribers/ada")).status_code == 404


async def test_a_bulk_tells_who_was_created_and_who_updated(api: httpx.AsyncClient) -> None:
    await api.post("/v2/subscribers", json=_ADA)

    answer = await api.post(
        "/v1/subscribers/bulk", json={"subscribers": [_ADA, {"subscriberId": "bob"}, {"subscriberId": "bob"}]}
    )

    assert answer.status_code == 201
    assert answer.json()["data"] == {
        "created": [{"subscriberId": "bob"}],
        "updated": [{"subscriberId": "ada"}, {"subscriberId": "bob"}],
        "failed": [],
    }


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1, 201), (500, 201), (501, 422)])
async def test_a_bulk_holds_up_to_500(api: httpx.AsyncClient, count: int, status: int) -> None:
    subscribers = [{"subscriberId": f"s{number}"} for number in range(count)]

    assert (await api.post("/v1/subscribers/bulk", json={"subscribers": subscribers})).status_code == status


@pytest.mark.parametrize(
    ("kind", "provider", "credentials"),
    [("push", "fcm", {"deviceTokens": ["token"]}), ("chat", "slack", {"webhookUrl": "https://hooks.example.org/x"})],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_push_and_chat_reach_who_has_credentials(
    api: httpx.AsyncClient, sink: SinkProcess, method: str, kind: str, provider: str, credentials: dict[str, Any]
) -> None:
    await make(api, step(kind, subject="a", body="a"))
    await api.post("/v2/subscribers", json=_ADA)
    body = {"providerId": provider, "credentials": credentials}

    answer = await api.request(method, "/v1/subscribers/ada/credentials", json=body)
    await send(api, sink, to=["ada", "bob"])

    assert answer.status_code == 200
    assert sink.ends() == {kind: {"sent": 1, "warning": 1}}


@pytest.mark.parametrize(("method", "tokens"), [("PUT", ["b"]), ("PATCH", ["a", "b"])])
async def test_put_replaces_device_tokens_and_patch_adds(
    api: httpx.AsyncClient, method: str, tokens: list[str]
) -> None:
    await api.post("/v2/subscribers", json=_ADA)
    for how, token in (("PUT", "a"), (method, "b")):
        body = {"providerId": "fcm", "credentials": {"deviceTokens": [token]}}
        answer = await api.request(how, "/v1/subscribers/ada/credentials", json=body)

    [channel] = answer.json()["data"]["channels"]
    assert channel["credentials"]["deviceTokens"] == tokens


async def test_credentials_of_nobody_and_of_the_wrong_shape_are_refused(api: httpx.AsyncClient) -> None:
    await api.post("/v2/subscribers", json=_ADA)
    right = {"providerId": "fcm", "credentials": {}}

    assert (await api.put("/v1/subscribers/nobody/credentials", json=right)).status_code == 404
    assert (await api.put("/v1/subscribers/ada/credentials", json={"providerId": 7})).status_code == 422
