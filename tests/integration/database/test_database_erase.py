"""erase_from_notifications, erase_from_rules, erase_recipient: what is taken out, and what is left to others."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    THEIRS,
    Connection,
    Project,
    call,
    claim,
    insert_notification,
    insert_rule,
    insert_workflow,
    read,
    read_rule,
    update,
)

ADA = "00000000-0000-4000-8000-00000000ada0"
EVE = "00000000-0000-4000-8000-00000000e0e0"
STAND_IN = "00000000-0000-0000-0000-00000000000"


async def erase(
    connection: Connection, person: str = ADA, terms: Sequence[str] = (), *, dry_run: bool = False, limit: int = 1000
) -> Any:
    return await call(
        connection,
        "erase_from_notifications",
        p_enterprise_id=OURS,
        p_subscriber_id=person,
        p_terms=list(terms),
        p_after_id=0,
        p_limit=limit,
        p_dry_run=dry_run,
    )


async def ids_found(connection: Connection, terms: Sequence[str] = ()) -> list[int]:
    return [found["id"] for found in (await erase(connection, terms=terms, dry_run=True))["found"]]


def recipients_of(row: Any) -> list[str]:
    return [str(each) for each in row["recipients"]]


async def test_a_row_that_waits_for_this_person_alone_is_retracted_and_emptied(connection: Connection) -> None:
    waiting = await insert_notification(
        connection, name="to Ada", recipients=[ADA], payload={"to": "Ada"}, overrides={"a": 1}, description="for Ada"
    )

    await erase(connection)

    row = await read(connection, waiting)
    assert (row["notification_status"], row["retraction_reason"]) == ("RETRACTED", "erased")
    assert (row["payload"], row["overrides"], row["description"]) == ({}, None, None)
    assert row["name"] == f"erased {waiting}"
    assert recipients_of(row) == [f"{STAND_IN}1"]
    assert await ids_found(connection) == []


async def test_a_row_of_many_goes_to_the_others_and_keeps_everybodys_place(connection: Connection) -> None:
    many = [RECIPIENT, ADA, EVE, ADA]
    waiting = await insert_notification(connection, name="to all", recipients=many, payload={"greeting": "hello"})
    ended = await insert_notification(connection, recipients=many, notification_status="SENT", transaction_id="t")

    await erase(connection)

    for notification_id, status in ((waiting, "PENDING"), (ended, "SENT")):
        row = await read(connection, notification_id)
        assert row["notification_status"] == status
        assert recipients_of(row) == [RECIPIENT, f"{STAND_IN}2", EVE, f"{STAND_IN}2"]
    assert (await read(connection, waiting))["payload"] == {"greeting": "hello"}
    assert (await read(connection, waiting))["name"] == "to all"


async def test_what_names_the_person_in_the_rows_of_others_is_replaced(connection: Connection) -> None:
    payload = {
        "inviter": {"id": ADA, "mail": "Ada@Example.org", "phones": ["+44 7700 900123", 447700900123]},
        "text": "ada@example.org asks; not ada@example.org.uk-ada@example.orgs",
        "nested": [[{"ada@example.org": True}]],
        "count": 7,
    }
    invitation = await insert_notification(connection, payload=payload, overrides={"email": {"cc": "ada@example.org"}})
    unconcerned = await insert_notification(connection, payload={"text": "adam@example.org, bada@example.org"})

    await erase(connection, terms=["ada@example.org", "+44 7700 900123", "447700900123"])

    row = await read(connection, invitation)
    assert row["payload"] == {
        "inviter": {"id": "[erased]", "mail": "[erased]", "phones": ["[erased]", "[erased]"]},
        "text": "[erased] asks; not [erased].uk-ada@example.orgs",
        "nested": [[{"[erased]": True}]],
        "count": 7,
    }
    assert row["overrides"] == {"email": {"cc": "[erased]"}}
    assert recipients_of(row) == [RECIPIENT]
    assert row["notification_status"] == "PENDING"
    assert (await read(connection, unconcerned))["payload"] == {"text": "adam@example.org, bada@example.org"}


async def test_a_short_word_is_replaced_only_where_it_stands_alone(connection: Connection) -> None:
    row_id = await insert_notification(connection, payload={"who": "ada", "text": "ada and Adam", "items": 3})

    await erase(connection, terms=["ada", "3"])

    assert (await read(connection, row_id))["payload"] == {"who": "[erased]", "text": "ada and Adam", "items": 3}


async def test_of_another_enterprise_nothing_is_touched(connection: Connection) -> None:
    theirs = await insert_notification(connection, enterprise_id=THEIRS, recipients=[ADA], payload={"to": ADA})

    answer = await erase(connection)

    assert answer["found"] == []
    assert recipients_of(await read(connection, theirs)) == [ADA]


async def test_what_a_worker_holds_is_taken_back_or_waited_for(connection: Connection) -> None:
    alone = await insert_notification(connection, recipients=[ADA])
    many = await insert_notification(connection, recipients=[ADA, EVE])
    await claim(connection, [alone, many])

    answer = await erase(connection)

    assert [(found["id"], found["in_flight"]) for found in answer["found"]] == [(alone, True), (many, True)]
    assert (await read(connection, alone))["notification_status"] == "RETRACTED"
    held = await read(connection, many)
    assert (held["notification_status"], recipients_of(held)) == ("PROCESSING", [ADA, EVE])
    outcome = [{"id": each, "status": "SENT", "transaction_id": "t"} for each in (alone, many)]
    recorded = await call(
        connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner="owner", p_outcomes=outcome
    )
    assert recorded == {"recorded": [alone, many]}
    await erase(connection)
    assert recipients_of(await read(connection, alone)) == [f"{STAND_IN}1"]
    assert recipients_of(await read(connection, many)) == [f"{STAND_IN}1", EVE]
    assert (await read(connection, alone))["notification_status"] == "RETRACTED"
    assert await ids_found(connection) == []


async def test_what_a_lost_worker_left_is_repeated_without_the_person_under_a_key_of_its_own(
    connection: Connection,
) -> None:
    many = await insert_notification(connection, recipients=[ADA, EVE])
    await call(
        connection,
        "claim_batch",
        p_enterprise_id=OURS,
        p_notification_ids=[many],
        p_claim_owner="lost",
        p_lease_seconds=60,
        p_keyed=True,
    )
    await update(connection, [many], "lease_expires_at = now() - interval '1 second'")
    before = await read(connection, many)

    await erase(connection)

    row = await read(connection, many)
    assert recipients_of(row) == [f"{STAND_IN}1", EVE]
    assert row["transaction_base"] == before["transaction_base"]
    assert row["idempotency_round"] == before["idempotency_round"] + 1


async def test_a_row_that_somebody_locks_is_told_of_and_not_waited_for(
    connection: Connection, project: Project
) -> None:
    row_id = await insert_notification(connection, recipients=[ADA])
    async with project.connect() as other, other.transaction():
        await other.execute("select from notify.ent_notification where id = $1 for update", row_id)

        answer = await erase(connection)

    assert (answer["busy"], answer["found"]) == ([row_id], [])
    assert await ids_found(connection) == [row_id]


async def test_a_row_that_refuses_is_told_of_and_the_others_are_done(connection: Connection, project: Project) -> None:
    refuses = await insert_notification(connection, recipients=[ADA, EVE], name="stays as it is")
    takes = await insert_notification(connection, recipients=[ADA, EVE])
    async with project.connect("postgres") as owner:
        await owner.execute(
            "alter table notify.ent_notification add constraint kept"
            " check (name <> 'stays as it is' or recipients::text like '%ada0%')"
        )
    try:
        answer = await erase(connection)
    finally:
        async with project.connect("postgres") as owner:
            await owner.execute("alter table notify.ent_notification drop constraint kept")

    assert answer["refused"] == {str(refuses): "23514"}
    assert recipients_of(await read(connection, takes)) == [f"{STAND_IN}1", EVE]


async def test_portions_are_bounded_whosever_the_rows_are(connection: Connection) -> None:
    ids = [await insert_notification(connection, enterprise_id=THEIRS, recipients=[ADA]) for _ in range(3)]
    last = await insert_notification(connection, recipients=[ADA])

    first = await erase(connection, limit=3)

    assert (first["through"], first["has_more"], first["found"]) == (ids[-1], True, [])
    assert recipients_of(await read(connection, last)) == [ADA]


async def test_the_account_of_the_delivery_stays_and_is_nobodys(connection: Connection) -> None:
    row_id = await insert_notification(connection, recipients=[ADA, EVE], channels=["EMAIL"])
    await claim(connection, [row_id])
    await call(
        connection,
        "record_followed_outcomes",
        p_enterprise_id=OURS,
        p_claim_owner="owner",
        p_outcomes=[{"id": row_id, "status": "SENT", "transaction_id": f"xnovu.{OURS}.{row_id}"}],
        p_look_after_seconds=60.0,
    )
    told = {"transaction_id": f"xnovu.{OURS}.{row_id}", "channel": "EMAIL", "at": "2026-11-28T10:00:00Z"}
    await call(
        connection,
        "record_delivery",
        p_facts=[
            {**told, "subscriber_id": ADA, "outcome": "failed", "cause": "provider_error"},
            {**told, "subscriber_id": EVE, "outcome": "sent"},
        ],
    )
    assert len(await connection.fetch("select from notify.delivery_fact where notification_id = $1", row_id)) == 2

    answer = await erase(connection)

    assert [found["facts"] for found in answer["found"]] == [1]
    left = await connection.fetch(
        "select outcome, person = notify.delivery_person($1, $2) as is_ada from notify.delivery_fact order by outcome",
        row_id,
        ADA,
    )
    assert [(fact["outcome"], fact["is_ada"]) for fact in left] == [(1, False), (3, False)]


async def test_whoever_repeats_the_request_makes_nothing_anew(connection: Connection) -> None:
    row_id = await insert_notification(connection, recipients=[ADA])
    for key in ("order-7", f"welcome {ADA}"):
        noted = {"p_idempotency_key": key, "p_request_hash": "hash", "p_notification_id": row_id}
        await call(connection, "note_trigger_request", p_enterprise_id=OURS, **noted)

    answer = await erase(connection)

    assert [found["requests"] for found in answer["found"]] == [2]
    again = await call(
        connection, "find_trigger_request", p_enterprise_id=OURS, p_idempotency_key="order-7", p_request_hash="hash"
    )
    assert again["conflict"] is True
    keys = [row["idempotency_key"] for row in await connection.fetch("select * from notify.trigger_request")]
    assert len(keys) == 2
    assert not any(ADA in key for key in keys)
    assert await ids_found(connection) == []


async def test_rules_lose_the_person_and_one_without_anybody_rests(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    shared = await insert_rule(
        connection,
        workflow_id,
        rule_payload={"recipients": [ADA, EVE], "payload": {"from": "ada@example.org"}, "overrides": {}},
    )
    alone = await insert_rule(connection, workflow_id, rule_payload={"recipients": [ADA], "payload": {}})
    others = await insert_rule(connection, workflow_id)
    arguments = {"p_enterprise_id": OURS, "p_subscriber_id": ADA, "p_terms": ["ada@example.org"]}
    expected = {"found": [shared, alone], "deactivated": [alone], "refused": {}}

    tried = await call(connection, "erase_from_rules", **arguments)
    assert (await read_rule(connection, alone))["rule_payload"]["recipients"] == [ADA]
    done = await call(connection, "erase_from_rules", **arguments, p_dry_run=False)
    again = await call(connection, "erase_from_rules", **arguments, p_dry_run=False)

    assert tried == done == expected
    assert again == {"found": [], "deactivated": [], "refused": {}}
    assert (await read_rule(connection, shared))["rule_payload"] == {
        "recipients": [EVE],
        "payload": {"from": "[erased]"},
        "overrides": {},
    }
    assert (await read_rule(connection, alone))["deactivated"] is True
    assert (await read_rule(connection, others))["deactivated"] is False


async def test_addresses_go_and_whose_they_are_besides_is_told(connection: Connection) -> None:
    for enterprise_id in (OURS, THEIRS):
        await connection.execute(
            "insert into notify.recipient (enterprise_id, subscriber_id, email) values ($1, $2, 'ada@example.org')",
            enterprise_id,
            ADA,
        )
    arguments = {"p_enterprise_id": OURS, "p_subscriber_id": ADA}
    expected = {"addresses": 1, "credentials": 0, "is_view": False, "others": [THEIRS]}

    assert await call(connection, "erase_recipient", **arguments) == expected
    assert await call(connection, "erase_recipient", **arguments, p_dry_run=False) == expected

    assert (await call(connection, "erase_recipient", **arguments))["addresses"] == 0
    assert await connection.fetchval("select count(*) from notify.recipient") == 1


@pytest.mark.parametrize("wrong", [{"p_subscriber_id": " "}, {"p_limit": 0}, {"p_terms": None}])
async def test_an_erasure_of_nothing_is_refused(connection: Connection, wrong: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"p_enterprise_id": OURS, "p_subscriber_id": ADA, "p_terms": []}
    arguments |= {"p_after_id": 0, "p_limit": 10} | wrong

    with pytest.raises(Exception, match="an erasure needs"):
        await call(connection, "erase_from_notifications", **arguments)
