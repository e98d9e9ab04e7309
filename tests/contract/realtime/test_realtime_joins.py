"""Joins: the reply first, what the database says after it, and what is refused."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from stack.postgres import Postgres
from tests.contract.realtime.conftest import QUICK, Database
from tests.contract.realtime.edge_server import Edge, serve_edge
from tests.contract.realtime.phoenix_client import TOPIC, PhoenixClient, change_request, connected, token

E1 = "11111111-1111-1111-1111-111111111111"
E2 = "22222222-2222-2222-2222-222222222222"
_HUNDRED = ",".join(f"v{number}" for number in range(100))
_UNABLE = "Unable to subscribe to changes with given parameters. "
_CHECK_REALTIME = _UNABLE + "Please check Realtime is enabled for the given connect parameters: "
_EXCEPTION = _UNABLE + "An exception happened so please check your connect parameters: "


async def test_the_reply_echoes_the_entries_with_ids_and_the_confirmation_follows(client: PhoenixClient) -> None:
    insert = change_request("INSERT", "kitchen", filter=f"enterprise_id=eq.{E1}")
    delete = change_request("DELETE", "kitchen")
    await client.send_join(insert, delete)

    reply = await client.receive()
    first, second = (entry["id"] for entry in reply["payload"]["response"]["postgres_changes"])
    assert client.raw == (
        '{"ref":"1","event":"phx_reply","topic":"realtime:x","payload":{"status":"ok","response":{"postgres_changes":['
        f'{{"id":{first},"event":"INSERT","filter":"enterprise_id=eq.{E1}","schema":"public","table":"kitchen"}},'
        f'{{"id":{second},"event":"DELETE","schema":"public","table":"kitchen"}}]}}}}}}'
    )
    assert first != second
    await client.receive()
    assert client.raw == (
        '{"ref":null,"event":"system","topic":"realtime:x","payload":{"message":"Subscribed to PostgreSQL",'
        '"status":"ok","extension":"postgres_changes","channel":"x"}}'
    )


async def test_identical_entries_share_an_id_that_is_the_same_in_every_join(edge: Edge, client: PhoenixClient) -> None:
    reply = await client.subscribe(change_request(), change_request())
    async with connected(edge) as other:
        other_reply = await other.subscribe(change_request())

    ids = {entry["id"] for entry in reply["payload"]["response"]["postgres_changes"]}
    assert ids == {other_reply["payload"]["response"]["postgres_changes"][0]["id"]}


@pytest.mark.parametrize(
    "entry",
    [
        change_request(filter=f"enterprise_id=in.({_HUNDRED})"),
        change_request(filter="enterprise_id=eq.A,state=eq.new"),
        change_request(filter=""),
        {"event": "*", "schema": "public"},
        {"event": "*", "table": "notify"},
        change_request("bogus"),
        change_request(table="*"),
        change_request(filter="payload=eq.{}"),
        change_request(select=["id", "enterprise_id"]),
        change_request(filter='enterprise_id=in.("a,b",c)'),
        change_request(filter="enterprise_id=eq.x' or 1=1 --"),
        change_request(filter="state=not.is.null,enterprise_id=like.A%"),
    ],
)
async def test_what_the_real_server_accepts_is_accepted(client: PhoenixClient, entry: dict[str, Any]) -> None:
    reply = await client.subscribe(entry)

    echoed = reply["payload"]["response"]["postgres_changes"][0]
    assert {key: value for key, value in echoed.items() if key != "id"} == entry


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            change_request(table="does_not_exist"),
            _CHECK_REALTIME + "[event: *, schema: public, table: does_not_exist, filters: [], select: nil]",
        ),
        (
            change_request(table="notpub"),
            _CHECK_REALTIME + "[event: *, schema: public, table: notpub, filters: [], select: nil]",
        ),
        (change_request(filter="enterprise_id"), 'Error parsing `filter` params: ["enterprise_id"]'),
        (change_request(filter="enterprise_id=foo.bar"), 'Error parsing `filter` params: ["foo", "bar"]'),
        (
            change_request(filter="nocol=eq.1"),
            _EXCEPTION
            + '[event: *, schema: public, table: notify, filters: [{"nocol", "eq", "1", false}], select: nil]. '
            "Exception: ERROR P0001 (raise_exception) invalid column for filter nocol",
        ),
        (
            change_request(table="kitchen", filter="enterprise_id=eq.notauuid"),
            _EXCEPTION + "[event: *, schema: public, table: kitchen, "
            'filters: [{"enterprise_id", "eq", "notauuid", false}], select: nil]. '
            'Exception: ERROR 22P02 (invalid_text_representation) invalid input syntax for type uuid: "notauuid"',
        ),
        (
            change_request(filter="enterprise_id=in.A,B"),
            "Error parsing `filter` params: `in` filter value must be wrapped by parentheses",
        ),
        (
            change_request(filter=f"enterprise_id=in.({_HUNDRED},v100)"),
            _EXCEPTION + '[event: *, schema: public, table: notify, filters: [\n  {"enterprise_id", "in",\n   '
            f'"{{{_HUNDRED},v100}}",\n   false}}\n], select: nil]. '
            "Exception: ERROR P0001 (raise_exception) too many values for `in` filter. Maximum 100",
        ),
        (
            {"event": "*"},
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "
            '%{"event" => "*"}',
        ),
        (
            change_request(filter=None),
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "
            '%{"event" => "*", "filter" => nil, "schema" => "public", "table" => "notify"}',
        ),
    ],
)
async def test_a_bad_entry_is_a_system_error_after_the_reply(
    client: PhoenixClient, entry: dict[str, Any], message: str
) -> None:
    await client.send_join(entry)

    reply = await client.receive()
    error = await client.receive()

    assert reply["payload"]["status"] == "ok"
    assert error == {
        "ref": None,
        "event": "system",
        "topic": TOPIC,
        "payload": {"message": message, "status": "error", "extension": "postgres_changes", "channel": "x"},
    }


async def test_a_role_that_does_not_exist_is_a_system_error(client: PhoenixClient) -> None:
    await client.send_join(change_request(), access_token=token("nosuchrole"))

    await client.receive()
    error = await client.receive()

    assert error["payload"]["message"] == (
        _EXCEPTION + "[event: *, schema: public, table: notify, filters: [], select: nil]. "
        'Exception: ERROR 42704 (undefined_object) role "nosuchrole" does not exist'
    )


async def test_a_filter_on_a_column_the_role_may_not_select_is_refused(client: PhoenixClient) -> None:
    await client.send_join(change_request(table="hidden", filter="id=eq.1"), access_token=token("anon"))

    await client.receive()
    error = await client.receive()

    assert error["payload"]["message"].endswith("invalid column for filter id")


async def test_of_several_entries_that_fail_in_the_database_the_last_is_named(client: PhoenixClient) -> None:
    insert = change_request("INSERT", "hidden", filter="id=eq.1")
    update = change_request("UPDATE", "hidden", filter=f"id=in.({E1},{E2})")
    await client.send_join(insert, update, change_request("DELETE", "hidden"), access_token=token("anon"))

    await client.receive()
    error = await client.receive()

    assert error["payload"]["message"] == (
        _EXCEPTION + '[event: UPDATE, schema: public, table: hidden, filters: [\n  {"id", "in",\n   '
        f'"{{{E1},{E2}}}",\n   false}}\n], select: nil]. '
        "Exception: ERROR P0001 (raise_exception) invalid column for filter id"
    )


async def test_one_bad_entry_means_no_subscription_at_all(client: PhoenixClient, database: Database) -> None:
    await client.send_join(change_request(), change_request(filter="nocol=eq.1"))
    await client.receive()
    error = await client.receive()
    assert error["payload"]["status"] == "error"

    await client.subscribe(change_request("DELETE"), topic="realtime:canary", ref="2")
    await database.execute("insert into notify (state) values ('unseen'); delete from notify")

    assert (await client.receive())["topic"] == "realtime:canary"


@pytest.mark.parametrize("config", [{"postgres_changes": "notalist"}, {"postgres_changes": []}, {}])
async def test_a_join_for_no_changes_has_a_reply_and_no_confirmation(
    client: PhoenixClient, config: dict[str, Any]
) -> None:
    await client.send_join(config=config)

    reply = await client.receive()
    assert reply["payload"] == {"status": "ok", "response": {"postgres_changes": []}}
    await client.heartbeat()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"access_token": "abc"}, "MalformedJWT: The token provided is not a valid JWT"),
        (
            {"access_token": token(secret="another-secret-that-is-just-as-long-as-ours")},
            "JwtSignatureError: Failed to validate JWT signature",
        ),
        ({"topic": "realtime:"}, "TopicNameRequired: You must provide a topic name"),
        ({"config": ["bad"]}, "UnknownErrorOnChannel: no function clause matching in Access.get/3"),
    ],
)
async def test_a_refused_join_is_answered_after_the_delay(
    client: PhoenixClient, frame: dict[str, Any], reason: str
) -> None:
    started = time.monotonic()
    await client.send_join(**frame)

    reply = await client.receive()

    assert reply["payload"] == {"status": "error", "response": {"reason": reason}}
    # In whole milliseconds, as the edge's event loop counts.
    assert round(1000 * (time.monotonic() - started)) >= 1000 * QUICK.join_error_delay_seconds


async def test_an_expired_token_is_refused_with_its_age(client: PhoenixClient) -> None:
    await client.send_join(access_token=token(lives_seconds=-11))

    reply = await client.receive()

    assert reply["payload"]["response"]["reason"] in {
        f"InvalidJWTToken: Token has expired {age} seconds ago" for age in (11, 12)
    }


async def test_a_refused_join_blocks_the_whole_socket_meanwhile(client: PhoenixClient) -> None:
    await client.send_join(ref="7", access_token="abc")
    await client.send("heartbeat", topic="phoenix", ref="hb")

    assert [(await client.receive())["ref"] for _ in range(2)] == ["7", "hb"]


@pytest.mark.parametrize("access_token", [None, "sb_secret_abc", ""])
async def test_without_a_token_of_its_own_a_join_uses_the_key_of_the_handshake(
    client: PhoenixClient, access_token: str | None
) -> None:
    await client.subscribe(change_request(), access_token=access_token)


async def test_a_join_without_join_ref_is_closed_with_a_null_ref(client: PhoenixClient) -> None:
    await client.send("phx_join", {"config": {"postgres_changes": [change_request()]}}, ref="7")
    assert (await client.receive())["ref"] == "7"
    await client.receive()

    await client.send("phx_leave", ref="8")

    assert (await client.receive())["ref"] == "8"
    assert await client.receive() == {"ref": None, "event": "phx_close", "topic": TOPIC, "payload": {}}


async def test_leaving_is_replied_to_and_then_closed_with_the_join_ref(client: PhoenixClient) -> None:
    await client.subscribe(change_request())

    await client.send("phx_leave", ref="3")

    assert await client.receive() == {
        "ref": "3",
        "event": "phx_reply",
        "topic": TOPIC,
        "payload": {"status": "ok", "response": {}},
    }
    assert await client.receive() == {"ref": "1", "event": "phx_close", "topic": TOPIC, "payload": {}}


async def test_a_second_join_of_a_topic_is_replied_to_before_the_first_is_closed(
    client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request())

    await client.send_join(change_request(), ref="2")

    frames = [await client.receive() for _ in range(3)]
    assert [(frame["event"], frame["ref"]) for frame in frames] == [
        ("phx_reply", "2"),
        ("phx_close", "1"),
        ("system", None),
    ]
    await database.execute("insert into notify (state) values ('new')")
    await client.receive_change()
    await client.heartbeat()


@pytest.mark.parametrize(
    "frame",
    [
        {"topic": "realtime:nope", "event": "access_token", "payload": {}, "ref": "4"},
        {"topic": "other:x", "event": "phx_join", "payload": {}, "ref": "4"},
    ],
)
async def test_an_unknown_topic_is_answered_at_once(client: PhoenixClient, frame: dict[str, Any]) -> None:
    await client.send_raw(frame)

    reply = await client.receive()

    assert (reply["ref"], reply["topic"]) == ("4", frame["topic"])
    assert reply["payload"] == {"status": "error", "response": {"reason": "unmatched topic"}}


@pytest.mark.parametrize(
    "frame",
    [
        "notjson",
        "[]",
        "{}",
        '{"topic":"realtime:x"}',
        '{"topic":1,"event":2,"ref":3}',
        '{"topic":"realtime:\\ud800","event":"phx_join","payload":{},"ref":"1"}',
        "[" * 100_000,
    ],
    ids=["text", "list", "empty", "topic only", "numbers", "half a surrogate pair", "deep"],
)
async def test_what_is_no_frame_is_ignored(client: PhoenixClient, frame: str) -> None:
    await client.send_raw(frame)

    await client.heartbeat()


async def test_version_2_speaks_arrays(edge: Edge, database: Database) -> None:
    async with connected(edge, vsn="2.0.0") as client:
        await client.send_raw(["1", "1", TOPIC, "phx_join", {"config": {"postgres_changes": [change_request()]}}])
        reply, confirmation = await client.connection.recv(), await client.connection.recv()
        await client.send_raw([None, "2", "phoenix", "heartbeat", {}])
        heartbeat = await client.connection.recv()
        await database.execute("insert into notify (state) values ('new')")
        event = await client.connection.recv()

    assert str(reply).startswith('["1","1","realtime:x","phx_reply",{"status":"ok","response":{"postgres_changes":[')
    assert confirmation == (
        '["1",null,"realtime:x","system",{"message":"Subscribed to PostgreSQL","status":"ok",'
        '"extension":"postgres_changes","channel":"x"}]'
    )
    assert heartbeat == '[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]'
    assert str(event).startswith('[null,null,"realtime:x","postgres_changes",{"data":{"table":"notify","type":"INSERT"')


async def test_more_channels_than_allowed_are_refused_and_hold_up_what_came_before(postgres: Postgres) -> None:
    async with serve_edge(postgres.url, replace(QUICK, max_channels_per_socket=2)) as edge, connected(edge) as client:
        for number in range(4):
            await client.send_join(change_request(), topic=f"realtime:c{number}", ref=str(number))

        replies = [await client.receive() for _ in range(4)]

    assert [reply["ref"] for reply in replies] == ["0", "1", "2", "3"]
    assert [reply["payload"]["status"] for reply in replies] == ["ok", "ok", "error", "error"]
    assert replies[3]["payload"]["response"]["reason"] == "ChannelRateLimitReached: Too many channels"


async def test_a_broadcast_is_acknowledged_where_the_join_asked_for_it(client: PhoenixClient) -> None:
    await client.send_join(config={"broadcast": {"ack": True, "self": False}})
    await client.receive()

    await client.send("broadcast", {"type": "broadcast", "event": "probe", "payload": {}}, ref="5")

    reply = await client.receive()
    assert (reply["ref"], reply["payload"]) == ("5", {"status": "ok", "response": {}})


async def test_a_broadcast_beyond_the_limit_is_refused(client: PhoenixClient) -> None:
    await client.send_join(config={"broadcast": {"ack": True, "self": False}})
    await client.receive()
    await client.send("broadcast", {"type": "broadcast", "event": "probe", "payload": "x" * 4_000_000}, ref="5")

    reply = await client.receive()

    assert (reply["ref"], reply["payload"]) == ("5", {"status": "error", "response": "payload_size_exceeded"})


async def test_who_tracks_its_presence_is_told_of_itself_even_where_presence_is_disabled(client: PhoenixClient) -> None:
    await client.send_join(config={"presence": {"key": "me", "enabled": False}})
    await client.receive()

    await client.send("presence", {"type": "presence", "event": "track", "payload": {"mood": "well"}}, ref="5")

    difference, reply = await client.receive(), await client.receive()
    assert difference["event"] == "presence_diff"
    [meta] = difference["payload"]["joins"]["me"]["metas"]
    assert (meta["mood"], difference["payload"]["leaves"]) == ("well", {})
    assert (reply["ref"], reply["payload"]["status"]) == ("5", "ok")


async def test_a_config_that_is_a_text_asks_for_what_the_topic_names(client: PhoenixClient) -> None:
    await client.send_join(config="text")

    reply, error = await client.receive(), await client.receive()

    [entry] = reply["payload"]["response"]["postgres_changes"]
    assert (reply["payload"]["status"], entry["schema"]) == ("ok", "x")
    assert error["payload"]["message"] == (
        _CHECK_REALTIME + "[event: *, schema: x, table: *, filters: [], select: nil]"
    )
