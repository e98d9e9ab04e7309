"""Under which id a row goes to Novu: its own for ever, and no other row's, whichever database that is in."""

import re
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    OURS,
    Connection,
    Project,
    call,
    insert_notification,
    insert_notifications,
    read,
    update,
)
from tests.integration.database.project import claim as claim_keyless

KEY = re.compile(r"[0-9a-f]{32}")
LAPSED = "lease_expires_at = now() - interval '1 second'"


async def claim(connection: Connection, ids: list[int], owner: str = "owner", **how: Any) -> dict[int, dict[str, Any]]:
    """The rows won by code that knows of keys, by id."""
    answer = await call(
        connection,
        "claim_batch",
        p_enterprise_id=OURS,
        p_notification_ids=ids,
        p_claim_owner=owner,
        p_lease_seconds=60,
        p_keyed=True,
        **how,
    )
    return {row["id"]: row for row in answer["notifications"]}


async def base_of(connection: Connection, notification_id: int, owner: str = "owner") -> str:
    """The id under which a claim has the row sent."""
    base: str = (await claim(connection, [notification_id], owner))[notification_id]["transaction_base"]
    return base


async def record(connection: Connection, notification_id: int, **outcome: Any) -> None:
    recorded = await call(
        connection,
        "record_outcomes",
        p_enterprise_id=OURS,
        p_claim_owner="owner",
        p_outcomes=[{"id": notification_id, "error_details": {"code": "c"}, **outcome}],
    )
    assert recorded == {"recorded": [notification_id]}


async def test_each_row_has_a_key_of_its_own_from_its_insert(connection: Connection) -> None:
    ids = await insert_notifications(connection, 3)

    keys = [(await read(connection, each))["delivery_key"] for each in ids]

    assert all(KEY.fullmatch(key) for key in keys)
    assert len(set(keys)) == 3


@pytest.mark.parametrize("key", ["", "xnovu.1", "A" * 32, "1" * 31, "1" * 33])
async def test_a_key_of_another_form_is_refused(connection: Connection, key: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="ent_notification_delivery_key_form"):
        await insert_notification(connection, delivery_key=key)


async def test_the_row_of_a_key_is_found(connection: Connection) -> None:
    notification_id = await insert_notification(connection, delivery_key="0a" * 16)

    assert await call(connection, "notification_of_key", p_delivery_key="0a" * 16) == notification_id
    assert await call(connection, "notification_of_key", p_delivery_key="0b" * 16) is None


async def test_no_two_rows_can_have_one_key(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    key = (await read(connection, notification_id))["delivery_key"]

    with pytest.raises(asyncpg.UniqueViolationError, match="ent_notification_delivery_key"):
        await insert_notification(connection, delivery_key=key)


async def test_a_claim_names_the_row_s_own_id_and_so_does_every_later_one(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    key = (await read(connection, notification_id))["delivery_key"]

    first = await base_of(connection, notification_id)
    again = await base_of(connection, notification_id)
    await update(connection, [notification_id], LAPSED)
    taken_over = await base_of(connection, notification_id, "other")

    assert {first, again, taken_over} == {f"xnovu.{key}"}
    assert (await read(connection, notification_id))["transaction_id"] is None, "nothing is known to have reached Novu"


async def test_a_row_that_was_inserted_without_a_key_gets_one_that_it_keeps(connection: Connection) -> None:
    notification_id = await insert_notification(connection, delivery_key=None)

    base = await base_of(connection, notification_id)

    assert base == f"xnovu.{(await read(connection, notification_id))['delivery_key']}"
    assert await base_of(connection, notification_id) == base


@pytest.mark.parametrize("stored", ["t", "xnovu.other.7", f"xnovu.{'0' * 32}", "", "t" * 100_000])
async def test_an_id_that_somebody_else_wrote_on_the_row_is_not_sent_under(connection: Connection, stored: str) -> None:
    notification_id = await insert_notification(connection, transaction_id=stored, transaction_base=stored)

    base = await base_of(connection, notification_id)

    assert base == f"xnovu.{(await read(connection, notification_id))['delivery_key']}"


async def test_a_row_that_was_sent_in_part_without_keys_goes_on_under_its_id(connection: Connection) -> None:
    """FAILED by an earlier release after some recipients, set to PENDING since."""
    notification_id = await insert_notification(connection)
    await update(connection, [notification_id], f"transaction_id = 'xnovu.{OURS}.' || id, chunks_sent = 1")

    assert await base_of(connection, notification_id) == f"xnovu.{OURS}.{notification_id}"


async def test_a_row_that_code_without_keys_left_behind_goes_on_under_the_id_that_such_code_sends(
    connection: Connection,
) -> None:
    notification_id = await insert_notification(connection)
    [old] = (await claim_keyless(connection, [notification_id], "old"))["notifications"]
    await update(connection, [notification_id], LAPSED)

    row = (await claim(connection, [notification_id]))[notification_id]

    assert "transaction_base" not in old
    assert row["transaction_base"] == f"xnovu.{OURS}.{notification_id}"
    assert row["doubt_seconds"] is not None, "nobody knows whether it has sent it"
    assert await base_of(connection, notification_id) == row["transaction_base"], "for ever"


async def test_the_id_of_code_without_keys_is_marked_where_that_code_marked_it(connection: Connection) -> None:
    bases = [
        await connection.fetchval("select notify.keyless_base($1, 2)", enterprise)
        for enterprise in ("acme", "acme.1", "acme.1x", "a.b", "7.1")
    ]

    assert bases == ["xnovu.acme.2", "xnovu.acme.1~.2", "xnovu.acme.1x.2", "xnovu.a.b.2", "xnovu.7.1~.2"]


async def test_code_without_keys_leaves_rows_alone_that_code_with_keys_may_have_sent_but_not_for_ever(
    connection: Connection,
) -> None:
    notification_id = await insert_notification(connection)
    await base_of(connection, notification_id)
    await update(connection, [notification_id], LAPSED)

    at_once = await claim_keyless(connection, [notification_id], "old")
    await update(connection, [notification_id], "processed_at = now() - interval '16 minutes'")
    later = await claim_keyless(connection, [notification_id], "old")

    assert [len(answer["notifications"]) for answer in (at_once, later)] == [0, 1]
    assert (await read(connection, notification_id))["transaction_base"] is None, "the id that such code sends"


async def test_a_row_that_failed_without_reaching_novu_has_no_transaction_id(connection: Connection) -> None:
    refused, partly, sent = await insert_notifications(connection, 3)
    bases = {each: await base_of(connection, each) for each in (refused, partly, sent)}

    await record(connection, refused, status="FAILED")
    await record(connection, partly, status="FAILED", reached_novu=True)
    await record(connection, sent, status="SENT", transaction_id=bases[sent])

    stored = [(await read(connection, each))["transaction_id"] for each in (refused, partly, sent)]
    assert stored == [None, bases[partly], bases[sent]]


async def test_a_row_that_failed_is_sent_again_under_the_same_id_and_asked_anew(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    first = (await claim(connection, [notification_id]))[notification_id]
    await record(connection, notification_id, status="FAILED")
    await update(connection, [notification_id], "notification_status = 'PENDING'")

    again = (await claim(connection, [notification_id]))[notification_id]

    assert again["transaction_base"] == first["transaction_base"]
    assert (first["idempotency_round"], again["idempotency_round"]) == (0, 1)


async def test_a_claim_after_one_that_ended_without_a_word_is_in_doubt(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    first = (await claim(connection, [notification_id]))[notification_id]
    await update(connection, [notification_id], "lease_expires_at = now() - interval '40 seconds'")

    taken_over = (await claim(connection, [notification_id], "other"))[notification_id]

    assert first["doubt_seconds"] is None
    assert taken_over["doubt_seconds"] == pytest.approx(40, abs=5), "the call may have been made while the lease held"


async def test_a_run_that_has_made_no_call_since_its_claim_is_not_in_doubt_over_it(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])

    own = (await claim(connection, [notification_id], p_uncalled=True))[notification_id]
    await update(connection, [notification_id], LAPSED)
    another_s = (await claim(connection, [notification_id], "other", p_uncalled=True))[notification_id]

    assert own["doubt_seconds"] is None
    assert another_s["doubt_seconds"] is not None


@pytest.mark.parametrize("instant", ["infinity", "-infinity", "4000-01-01 BC", "9999-01-01"])
async def test_an_instant_that_cannot_be_is_some_doubt_all_the_same(connection: Connection, instant: str) -> None:
    noted, lapsed = await insert_notifications(connection, 2)
    await update(connection, [noted], f"in_doubt_since = '{instant}'")
    await claim(connection, [lapsed])
    await update(connection, [lapsed], f"lease_expires_at = '{instant}'")

    doubts = [row["doubt_seconds"] for row in (await claim(connection, [noted, lapsed])).values()]

    assert all(0 <= seconds <= 31 * 86_400 for seconds in doubts)


async def hold(connection: Connection, notification_id: int, owner: str = "owner", **how: Any) -> list[int]:
    answer: dict[str, list[int]] = await call(
        connection,
        "hold_claims",
        p_enterprise_id=OURS,
        p_claim_owner=owner,
        p_rows=[{"id": notification_id, **how}],
        p_lease_seconds=60,
    )
    return answer["held"]


async def test_what_an_attempt_knows_at_its_end_the_next_one_is_told(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])

    held = await hold(
        connection, notification_id, answered=True, refused=True, chunks_sent=1, chunks_beyond=[3, 4], repeated=True
    )
    row = (await claim(connection, [notification_id]))[notification_id]

    assert held == [notification_id]
    assert row["doubt_seconds"] is None, "what Novu answered is known"
    assert (row["idempotency_round"], row["chunks_sent"], row["chunks_beyond"], row["doubtful_repeats"]) == (
        1,
        1,
        [3, 4],
        1,
    )


async def test_a_row_that_is_put_off_is_nobody_s_until_its_time_has_come_and_in_doubt_then(
    connection: Connection,
) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    await hold(connection, notification_id, answered=True, in_doubt=True, put_off_seconds=30)

    nobody = [await claim(connection, [notification_id], owner) for owner in ("owner", "other")]
    row = await read(connection, notification_id)
    due = {"p_enterprise_ids": [OURS], "p_page_size": 10}
    early = await call(connection, "due_notifications", **due)
    await update(connection, [notification_id], LAPSED)
    [page] = await call(connection, "due_notifications", **due)
    later = (await claim(connection, [notification_id], "other"))[notification_id]

    assert nobody == [{}, {}]
    assert (row["notification_status"], row["claim_owner"], row["in_doubt_since"] is not None) == (
        "PROCESSING",
        None,
        True,
    )
    assert early == []
    assert page["notification_ids"] == [notification_id]
    assert later["doubt_seconds"] is not None


async def test_a_row_in_doubt_that_is_sent_is_not_in_doubt_and_one_that_fails_says_that_novu_may_have_it(
    connection: Connection,
) -> None:
    sent, expired = await insert_notifications(connection, 2)
    for each in (sent, expired):
        await claim(connection, [each])
        await hold(connection, each, in_doubt=True, repeated=True, answered=True)
    bases = {each: await base_of(connection, each) for each in (sent, expired)}

    await record(connection, sent, status="SENT", transaction_id=bases[sent])
    await record(connection, expired, status="FAILED")

    rows = [await read(connection, each) for each in (sent, expired)]
    assert [row["transaction_id"] for row in rows] == [bases[sent], bases[expired]]
    assert [row["in_doubt_since"] is None for row in rows] == [True, False]
    assert [row["doubtful_repeats"] for row in rows] == [1, 1], "a lasting mark"


async def test_another_s_claim_cannot_be_held_and_an_enterprise_s_neither(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    before = await read(connection, notification_id)

    assert await hold(connection, notification_id, "other", put_off_seconds=1) == []
    assert await read(connection, notification_id) == before


async def test_a_copy_of_a_database_keeps_the_keys_and_what_both_insert_afterwards_differs(
    separate_project: Project,
) -> None:
    """Restored from yesterday, its sequence begins again where it was; or it is reset by hand."""
    async with separate_project.connect("postgres") as connection:
        old = await insert_notification(connection)
        await connection.execute("create table public.yesterday as select * from notify.ent_notification")
        newer = await insert_notification(connection)
        base_then, newer_base = await base_of(connection, old), await base_of(connection, newer)

        await connection.execute("truncate notify.ent_notification restart identity cascade")
        await connection.execute(
            "insert into notify.ent_notification overriding system value select * from public.yesterday"
        )
        await connection.execute(f"alter table notify.ent_notification alter column id restart with {newer}")
        newest = await insert_notification(connection)

        assert newest == newer, "the same id"
        assert await base_of(connection, old) == base_then, "the same row"
        assert await base_of(connection, newest) != newer_base
