"""Tokens that expire, are renewed, or are pushed although they are bad."""

from __future__ import annotations

import pytest

from tests.contract.realtime.conftest import Database
from tests.contract.realtime.edge_server import Edge
from tests.contract.realtime.phoenix_client import TOPIC, PhoenixClient, change_request, connected, token


async def test_an_expired_token_closes_the_channel_and_not_the_socket(
    client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"), access_token=token(lives_seconds=2))

    error, close = await client.receive(), await client.receive()

    assert error == {
        "ref": None,
        "event": "system",
        "topic": TOPIC,
        "payload": {
            "message": "Token has expired 0 seconds ago",
            "status": "error",
            "extension": "system",
            "channel": "x",
        },
    }
    assert close == {"ref": "1", "event": "phx_close", "topic": TOPIC, "payload": {}}
    await database.execute("insert into notify (state) values ('unseen')")
    await client.heartbeat()
    await client.send("access_token", {"access_token": token()}, ref="2")
    assert (await client.receive())["payload"]["response"] == {"reason": "unmatched topic"}


async def test_a_new_token_has_no_reply_and_brings_another_confirmation_and_no_loss(
    client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"), access_token=token(lives_seconds=3))
    await database.execute("insert into notify (state) values ('before')")
    while (state := (await client.receive_change())["record"]["state"]) != "before":
        assert state == "unseen", "the test before this one may have left a change that the edge is still to read"

    await client.send("access_token", {"access_token": token(lives_seconds=600)}, ref="2")

    confirmation = await client.receive()
    assert (confirmation["event"], confirmation["payload"]["message"]) == ("system", "Subscribed to PostgreSQL")
    await database.execute("insert into notify (state) values ('after')")
    assert (await client.receive_change())["record"]["state"] == "after"


async def test_a_new_token_outlives_the_old_one(client: PhoenixClient, database: Database) -> None:
    await client.subscribe(change_request("INSERT"), access_token=token(lives_seconds=2))
    await client.send("access_token", {"access_token": token()}, ref="2")
    await client.receive()
    other = change_request("DELETE", "fullident")

    # The channel that keeps such a token tells when it has expired.
    await client.send_join(other, topic="realtime:short", ref="3", access_token=token(lives_seconds=2))
    while (await client.receive())["event"] != "phx_close":
        pass

    await database.execute("insert into notify (state) values ('after')")
    assert (await client.receive_change())["record"]["state"] == "after"


@pytest.mark.parametrize(
    ("lives_seconds", "secret", "messages"),
    [
        (-5, None, ["Token has expired 5 seconds ago", "Token has expired 6 seconds ago"]),
        (60, "another-secret-that-is-just-as-long-as-ours", [":signature_error"]),
        (0, None, ["The token provided is not a valid JWT"]),
    ],
    ids=["expired", "signature", "garbage"],
)
async def test_a_bad_token_closes_the_channel_with_its_reason(
    client: PhoenixClient, lives_seconds: int, secret: str | None, messages: list[str]
) -> None:
    await client.subscribe(change_request())
    signed = token(lives_seconds=lives_seconds, **({"secret": secret} if secret else {}))

    await client.send("access_token", {"access_token": signed if lives_seconds else "abc"}, ref="2")

    error, close = await client.receive(), await client.receive()
    assert error["payload"]["message"] in messages
    assert (error["payload"]["extension"], close["event"], close["ref"]) == ("system", "phx_close", "1")


@pytest.mark.parametrize("ignored", [None, 5, "sb_secret_abc", "the same"])
async def test_a_push_of_no_token_or_the_same_is_ignored(edge: Edge, ignored: object) -> None:
    same = token()
    async with connected(edge, same) as client:
        await client.subscribe(change_request())

        await client.send("access_token", {"access_token": same if ignored == "the same" else ignored}, ref="2")

        await client.heartbeat()
