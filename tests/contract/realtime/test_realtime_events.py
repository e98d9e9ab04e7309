"""Change events: what is in them, for whom they are, and in which order they come."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.contract.realtime.conftest import Database
from tests.contract.realtime.edge_server import Edge
from tests.contract.realtime.phoenix_client import TOPIC, PhoenixClient, change_request, connected, token

E1 = "11111111-1111-1111-1111-111111111111"
E2 = "22222222-2222-2222-2222-222222222222"
_KITCHEN_COLUMNS = (
    '[{"name": "id", "type": "uuid"}, {"name": "enterprise_id", "type": "uuid"}, {"name": "t", "type": "text"}, '
    '{"name": "j", "type": "jsonb"}, {"name": "ts", "type": "timestamptz"}, {"name": "ta", "type": "_text"}, '
    '{"name": "ua", "type": "_uuid"}, {"name": "i8", "type": "int8"}, {"name": "n", "type": "numeric"}, '
    '{"name": "b", "type": "bool"}, {"name": "nul", "type": "text"}, {"name": "e", "type": "mood"}, '
    '{"name": "i4", "type": "int4"}, {"name": "f8", "type": "float8"}, {"name": "d", "type": "date"}, '
    '{"name": "by", "type": "bytea"}, {"name": "tsn", "type": "timestamp"}, {"name": "js", "type": "json"}]'
)
_INSERT_KITCHEN = r"""
    insert into kitchen values (
        'aaaaaaaa-0000-0000-0000-000000000001', '11111111-1111-1111-1111-111111111111',
        E'héllo "q" \\ \n tab\t 😀', '{"big": 9007199254740993, "a": [null, true, {"k": "v"}], "b": 1.10}',
        '2026-11-23T12:00:00.123456+01', array['a', 'b,c', 'd"e', null],
        array['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222']::uuid[],
        9007199254740993, 12345678901234567890.123456789, true, null, 'happy', -5, 1.5e300, '2026-01-02',
        '\xdeadbeef', '2026-01-02 03:04:05.678', '{"z": 1, "a": [1, 2]}'
    )
"""
_KITCHEN_RECORD = (
    r'{"b": true, "d": "2026-01-02", "e": "happy", "j": {"a": [null, true, {"k": "v"}], "b": 1.10, '
    r'"big": 9007199254740993}, "n": 12345678901234567890.123456789, "t": "héllo \"q\" \\ \n tab\t 😀", '
    rf'"by": "deadbeef", "f8": 15{"0" * 299}, "i4": -5, "i8": 9007199254740993, '
    r'"id": "aaaaaaaa-0000-0000-0000-000000000001", "js": {"a": [1, 2], "z": 1}, '
    r'"ta": ["a", "b,c", "d\"e", null], "ts": "2026-11-23T11:00:00.123456+00:00", '
    rf'"ua": ["{E1}", "{E2}"], "nul": null, "tsn": "2026-01-02T03:04:05.678", "enterprise_id": "{E1}"}}'
)


async def _tidy(database: Database, *tables: str) -> None:
    await database.execute(f"truncate {', '.join(tables)}")


async def test_an_insert_carries_every_type_as_the_real_server_writes_it(
    client: PhoenixClient, database: Database
) -> None:
    await _tidy(database, "kitchen")
    reply = await client.subscribe(change_request("INSERT", "kitchen", filter=f"enterprise_id=eq.{E1}"))
    ids = [entry["id"] for entry in reply["payload"]["response"]["postgres_changes"]]

    await database.execute(_INSERT_KITCHEN)

    event = await client.receive_change()
    assert client.raw == (
        '{"ref":null,"event":"postgres_changes","topic":"realtime:x","payload":{"data":{"table":"kitchen",'
        f'"type":"INSERT","record":{_KITCHEN_RECORD},"columns":{_KITCHEN_COLUMNS},"errors":null,"schema":"public",'
        f'"commit_timestamp":"{event["commit_timestamp"]}"}},"ids":{json.dumps(ids)}}}}}'
    )
    assert len(event["commit_timestamp"]) == len("2026-11-23T13:23:46.215Z")


async def test_nan_and_infinite_numbers_are_null_and_an_infinite_time_is_text(
    client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT", "kitchen"))

    await database.execute("insert into kitchen (n, f8, ts) values ('NaN', '-Infinity', 'infinity')")

    record = (await client.receive_change())["record"]
    assert (record["n"], record["f8"], record["ts"]) == (None, None, "infinity")


async def test_an_update_adds_the_key_as_old_record_and_a_delete_has_nothing_else(
    client: PhoenixClient, database: Database
) -> None:
    await _tidy(database, "notify")
    identity = await database.fetchval("insert into notify (enterprise_id) values ('A') returning id")
    # Not "*": a change from just before the subscription may still be in the slot, as in the real server.
    await client.subscribe(change_request("UPDATE"), change_request("DELETE"))

    await database.execute("update notify set state = 'seen'")
    update = await client.receive_change()
    await database.execute("delete from notify")
    delete = await client.receive_change()

    assert (update["type"], update["record"]["state"], update["old_record"]) == ("UPDATE", "seen", {"id": identity})
    assert list(update) == [
        "table",
        "type",
        "record",
        "columns",
        "errors",
        "schema",
        "commit_timestamp",
        "old_record",
        "ids",
    ]
    assert list(delete) == ["table", "type", "columns", "errors", "schema", "commit_timestamp", "old_record", "ids"]
    assert (delete["type"], delete["old_record"]) == ("DELETE", {"id": identity})


async def test_a_truncate_is_never_sent(client: PhoenixClient, database: Database) -> None:
    await client.subscribe(change_request())

    await database.execute("insert into notify (state) values ('one'); truncate notify")
    await database.execute("insert into notify (state) values ('two')")

    assert [(await client.receive_change())["record"]["state"] for _ in range(2)] == ["one", "two"]


async def test_a_row_updated_into_the_filter_is_an_update_and_out_of_it_is_nothing(
    client: PhoenixClient, database: Database
) -> None:
    await _tidy(database, "notify")
    await database.execute("insert into notify (enterprise_id, state) values ('A', 'draft')")
    await client.subscribe(change_request(filter="state=eq.ready"))

    for state in ("ready", "done", "ready"):
        await database.execute("update notify set state = $1", state)

    events = [await client.receive_change() for _ in range(2)]
    assert [(event["type"], event["record"]["state"]) for event in events] == [("UPDATE", "ready")] * 2


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("i4=eq.5", [5]),
        ("i4=neq.5", [3, 7]),
        ("i4=lt.5", [3]),
        ("i4=lte.5", [3, 5]),
        ("i4=gt.5", [7]),
        ("i4=gte.5", [5, 7]),
        ("i4=in.(3,7)", [3, 7]),
        ("i4=not.in.(3,7)", [5]),
        ("i4=not.eq.5", [3, 7]),
        ("i4=isdistinct.5", [3, 7, None]),
        ("i4=is.null", [None]),
        ("i4=not.is.null", [3, 5, 7]),
        ("i4=gt.3,i4=lt.7", [5]),
        ("t=like.t%5", [5]),
        ("t=ilike.T%5", [5]),
        ("t=match.^t-[57]$", [5, 7]),
        ("t=imatch.^T-3", [3]),
        ('t=eq."t-3"', [3]),
        ("e=eq.sad", [7]),
        ("b=is.true", [3]),
    ],
)
async def test_every_operator_is_evaluated_with_the_columns_type(
    client: PhoenixClient, database: Database, condition: str, expected: list[int | None]
) -> None:
    await client.subscribe(change_request("INSERT", "kitchen", filter=condition), change_request("DELETE", "fullident"))

    await database.execute(
        "insert into kitchen (i4, t, e, b) values (3, 't-3', 'happy', true), (5, 't-5', 'happy', false),"
        " (7, 't-7', 'sad', null), (null, null, null, null);"
        " insert into fullident values (9, 'end', ''); delete from fullident where id = 9"
    )

    received = []
    while (event := await client.receive_change())["table"] == "kitchen":
        received.append(event["record"]["i4"])
    assert received == expected


async def test_a_filtered_delete_is_only_seen_through_the_replica_identity(
    client: PhoenixClient, database: Database
) -> None:
    await _tidy(database, "notify", "fullident")
    await database.execute(
        "insert into notify (enterprise_id) values ('A'); insert into fullident values (1, 'A', 'x')"
    )
    await client.subscribe(
        change_request("DELETE", filter="enterprise_id=eq.A"),
        change_request("DELETE", "fullident", filter="enterprise_id=eq.A"),
    )

    await database.execute("delete from notify; delete from fullident")

    event = await client.receive_change()
    assert (event["table"], event["old_record"]) == ("fullident", {"v": "x", "id": 1, "enterprise_id": "A"})
    await client.heartbeat()


async def test_with_full_replica_identity_the_old_record_is_the_whole_row(
    client: PhoenixClient, database: Database
) -> None:
    await _tidy(database, "fullident")
    await client.subscribe(change_request(table="fullident", filter="enterprise_id=eq.A"))

    for statement in (
        "insert into fullident values (1, 'A', 'x')",
        "update fullident set v = 'y'",
        "update fullident set enterprise_id = 'B'",
        "update fullident set enterprise_id = 'A'",
    ):
        await database.execute(statement)

    events = [await client.receive_change() for _ in range(3)]
    assert [event.get("old_record") for event in events] == [
        None,
        {"v": "x", "id": 1, "enterprise_id": "A"},
        {"v": "y", "id": 1, "enterprise_id": "B"},
    ]


async def test_an_untouched_large_column_is_absent_from_an_update_unless_the_identity_is_full(
    client: PhoenixClient, database: Database
) -> None:
    await _tidy(database, "notify", "fullident")
    large = "select string_agg(md5(g::text), '') from generate_series(1, 2000) g"
    await database.execute(f"insert into notify (payload) values (to_jsonb(({large})))")
    await database.execute(f"insert into fullident values (1, 'A', ({large}))")
    await client.subscribe(change_request("UPDATE"), change_request("UPDATE", "fullident"))

    await database.execute("update notify set state = 'seen'; update fullident set enterprise_id = 'B'")

    without, full = await client.receive_change(), await client.receive_change()
    assert list(without["record"]) == ["id", "state", "created_at", "enterprise_id"]
    assert without["errors"] is None
    assert "payload" in {column["name"] for column in without["columns"]}
    assert len(full["record"]["v"]) == 64_000


async def test_a_row_over_one_mebibyte_arrives_with_413_and_its_short_columns(
    client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"))

    for size in (1_048_000, 1_100_000):
        await database.execute(
            "insert into notify (enterprise_id, payload) values ('A', to_jsonb(repeat('x', $1)))", size
        )

    whole, cut = await client.receive_change(), await client.receive_change()
    assert (whole["errors"], len(whole["record"]["payload"])) == (None, 1_048_000)
    assert cut["errors"] == ["Error 413: Payload Too Large"]
    assert list(cut["record"]) == ["id", "state", "created_at", "enterprise_id"]
    assert [column["name"] for column in cut["columns"]] == ["id", "enterprise_id", "state", "payload", "created_at"]


async def test_selected_columns_and_the_key_are_all_that_is_sent(client: PhoenixClient, database: Database) -> None:
    await client.subscribe(change_request("INSERT", select=["enterprise_id"]))

    await database.execute("insert into notify (enterprise_id) values ('A')")

    event = await client.receive_change()
    assert set(event["record"]) == {"id", "enterprise_id"}
    assert event["columns"] == [{"name": "id", "type": "int8"}, {"name": "enterprise_id", "type": "text"}]


async def test_each_topic_gets_one_frame_with_its_matching_ids_last_first(
    client: PhoenixClient, database: Database
) -> None:
    one = change_request("INSERT", filter="enterprise_id=eq.A")
    await client.subscribe(one, topic="realtime:first")
    reply = await client.subscribe(
        change_request("INSERT"),
        change_request("*", filter="enterprise_id=eq.A"),
        change_request("INSERT", filter="enterprise_id=eq.B"),
        topic="realtime:second",
        ref="2",
    )
    ids = [entry["id"] for entry in reply["payload"]["response"]["postgres_changes"]]

    await database.execute("insert into notify (enterprise_id) values ('A')")

    first, second = await client.receive(), await client.receive()
    assert (first["topic"], second["topic"]) == ("realtime:first", "realtime:second")
    assert second["payload"]["ids"] == [ids[1], ids[0]]


async def test_a_transaction_comes_whole_in_order_and_with_one_timestamp(
    client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"), change_request("INSERT", "fullident"))
    await _tidy(database, "fullident")

    await database.execute(
        "insert into notify (state) select g::text from generate_series(1, 150) g;"
        " insert into fullident values (151, 'A', ''); insert into notify (state) values ('152')"
    )

    events = [await client.receive_change() for _ in range(152)]
    numbers = [event["record"].get("state") or str(event["record"]["id"]) for event in events]
    assert numbers == [str(number) for number in range(1, 153)]
    assert len({event["commit_timestamp"] for event in events}) == 1


@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_row_security_without_a_policy_hides_all_but_deletes(
    client: PhoenixClient, database: Database, role: str
) -> None:
    await _tidy(database, "withrls")
    await client.subscribe(change_request(table="withrls"), access_token=token(role))

    await database.execute("insert into withrls values (1, 'x')")
    await database.execute("update withrls set v = 'y'")
    await database.execute("delete from withrls")

    event = await client.receive_change()
    assert (event["type"], event["old_record"]) == ("DELETE", {"id": 1})


async def test_the_service_role_passes_row_security(client: PhoenixClient, database: Database) -> None:
    await _tidy(database, "withrls")
    await client.subscribe(change_request(table="withrls"))

    await database.execute("insert into withrls values (1, 'x')")

    assert (await client.receive_change())["record"] == {"v": "x", "id": 1}


async def test_a_policy_decides_by_the_claims_of_the_token(client: PhoenixClient, database: Database) -> None:
    await _tidy(database, "owned")
    mine = change_request("INSERT", "owned")
    await client.subscribe(mine, access_token=token("authenticated", sub="ann"))

    await database.execute("insert into owned values (1, 'bob'), (2, 'ann'), (3, 'bob')")

    assert (await client.receive_change())["record"] == {"id": 2, "owner": "ann"}
    await client.heartbeat()


async def test_a_role_that_may_not_read_the_key_gets_401_events(client: PhoenixClient, database: Database) -> None:
    await _tidy(database, "hidden")
    await client.subscribe(change_request("INSERT", "hidden"), access_token=token("anon"))

    await database.execute("insert into hidden values (1, 'x')")

    event = await client.receive_change()
    assert (event["record"], event["columns"], event["commit_timestamp"]) == ({}, [], None)
    assert event["errors"] == ["Error 401: Unauthorized"]


async def test_a_table_without_a_key_gives_400_events(client: PhoenixClient, database: Database) -> None:
    await client.subscribe(change_request("INSERT", "keyless"))

    await database.execute("insert into keyless values ('x')")

    assert (await client.receive_change())["errors"] == ["Error 400: Bad Request, no primary key"]


async def test_a_filter_that_fails_at_run_time_costs_everybody_the_poll(
    edge: Edge, client: PhoenixClient, database: Database
) -> None:
    await _tidy(database, "documents")
    await client.subscribe(change_request("INSERT"), change_request("INSERT", "documents"))
    async with connected(edge) as culprit:
        await culprit.subscribe(change_request(table="documents", filter="body=eq.{}"))
        await database.execute("insert into documents values (1, '{}'); insert into notify (state) values ('lost')")
        await edge.polled_anew()
    await database.execute("insert into notify (state) values ('seen')")

    assert (await client.receive_change())["record"]["state"] == "seen"


async def test_a_numeric_keeps_all_its_digits(client: PhoenixClient, database: Database) -> None:
    await client.subscribe(change_request("INSERT", "kitchen", select=["n"]))

    await database.execute("insert into kitchen (n) values (0.1234567890123456789)")

    assert (await client.receive_change())["record"]["n"] == Decimal("0.1234567890123456789")
    assert TOPIC in client.raw
