"""Calls for several enterprises in one statement: each is the function's own work, and fails alone."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    Project,
    call,
    ids_of,
    insert_notification,
    insert_template,
    insert_workflow,
    read,
)

LEASE_SECONDS = 60


def a_claim(enterprise_id: str, *ids: int, **arguments: Any) -> dict[str, Any]:
    return {
        "function": "claim_batch",
        "arguments": {
            "p_enterprise_id": enterprise_id,
            "p_notification_ids": list(ids),
            "p_claim_owner": "owner",
            "p_lease_seconds": LEASE_SECONDS,
            "p_keyed": True,
            "p_uncalled": False,
            **arguments,
        },
    }


def a_call(function: str, enterprise_id: str, **arguments: Any) -> dict[str, Any]:
    return {
        "function": function,
        "arguments": {"p_enterprise_id": enterprise_id, "p_claim_owner": "owner", **arguments},
    }


def sent(*ids: int) -> list[dict[str, Any]]:
    return [{"id": key, "status": "SENT", "transaction_id": f"xnovu.{key}"} for key in ids]


async def call_each(connection: Connection, *calls: dict[str, Any]) -> list[Any]:
    answers: list[Any] = await call(connection, "call_each", p_calls=list(calls))
    return answers


async def two_rows(connection: Connection) -> tuple[int, int]:
    """One of ours, one of theirs, each of a workflow of its own."""
    rows = []
    for enterprise_id in (OURS, THEIRS):
        workflow_id = await insert_workflow(connection, enterprise_id=enterprise_id)
        rows.append(
            await insert_notification(connection, enterprise_id=enterprise_id, notification_workflow_id=workflow_id)
        )
    ours, theirs = rows
    return ours, theirs


async def test_each_is_answered_as_if_it_were_alone(connection: Connection) -> None:
    ours, theirs = await two_rows(connection)

    claims = await call_each(connection, a_claim(OURS, ours), a_claim(THEIRS, theirs))

    assert [ids_of(claim) for claim in claims] == [[ours], [theirs]]
    assert [len(claim["workflows"]) for claim in claims] == [1, 1]
    assert (await call(connection, "claim_batch", **a_claim(OURS, ours)["arguments"])) == {
        **claims[0],
        "notifications": [{**claims[0]["notifications"][0], "attempts": 2, "doubt_seconds": 0}],
    }


async def test_every_function_of_a_delivery_can_be_called(connection: Connection) -> None:
    ours, theirs = await two_rows(connection)

    await call_each(connection, *(a_claim(OURS, ours), {**a_claim(THEIRS, theirs), "function": "claim_followed_batch"}))
    answers = await call_each(
        connection,
        a_call("renew_claims", OURS, p_chunks_sent={str(ours): 1}, p_lease_seconds=LEASE_SECONDS),
        a_call("hold_claims", OURS, p_rows=[{"id": ours, "chunks_sent": 2}], p_lease_seconds=LEASE_SECONDS),
        a_call("note_delivery_faults", OURS, p_notification_ids=[ours], p_code="novu_fault"),
        a_call("record_outcomes", OURS, p_outcomes=sent(ours)),
        a_call("record_followed_outcomes", THEIRS, p_outcomes=sent(theirs), p_look_after_seconds=30.5),
    )

    assert answers == [
        {"held": [ours]},
        {"held": [ours]},
        {"faults": {str(ours): 1}},
        {"recorded": [ours]},
        {"recorded": [theirs]},
    ]
    assert (await read(connection, ours))["chunks_sent"] == 2
    accounts = await connection.fetch("select notification_id from notify.delivery_account")
    assert [row["notification_id"] for row in accounts] == [theirs]


async def test_each_touches_the_rows_of_its_own_enterprise_only(connection: Connection) -> None:
    ours, theirs = await two_rows(connection)

    claims = await call_each(connection, a_claim(OURS, theirs), a_claim(THEIRS, ours))

    assert [claim["notifications"] for claim in claims] == [[], []]
    assert {(await read(connection, row))["notification_status"] for row in (ours, theirs)} == {"PENDING"}


async def two_rows_with(connection: Connection, **reference_of: str) -> list[int]:
    """A row of each enterprise, whose workflow names this template."""
    rows = []
    for enterprise_id in (OURS, THEIRS):
        overrides = {"emailTemplateId": reference_of[enterprise_id]} if enterprise_id in reference_of else {}
        workflow_id = await insert_workflow(connection, enterprise_id=enterprise_id, template_overrides=overrides)
        rows.append(
            await insert_notification(connection, enterprise_id=enterprise_id, notification_workflow_id=workflow_id)
        )
    return rows


async def test_claims_that_are_made_as_one_bring_along_the_templates_of_their_own_enterprise_only(
    connection: Connection,
) -> None:
    own = await insert_template(connection, None, '{% xnovu_render "ours-part" %}{% xnovu_render "theirs" %}')
    part = await insert_template(connection, "ours-part")
    theirs = await insert_template(connection, "theirs", '{% xnovu_render "ours-part" %}', enterprise_id=THEIRS)
    ours_row, theirs_row = await two_rows_with(connection, **{OURS: str(own), THEIRS: "theirs"})
    strangers = await two_rows_with(connection, **{OURS: "theirs", THEIRS: str(own)})

    claims = await call_each(connection, a_claim(OURS, ours_row), a_claim(THEIRS, theirs_row))
    nothing = await call_each(connection, a_claim(OURS, strangers[0]), a_claim(THEIRS, strangers[1]))

    assert [[template["id"] for template in claim["templates"]] for claim in claims] == [[own, part], [theirs]]
    assert [claim["templates"] for claim in nothing] == [[], []]
    assert [ids_of(claim) for claim in nothing] == [[row] for row in strangers]


async def test_templates_that_are_too_much_together_come_to_each_by_itself(connection: Connection) -> None:
    for enterprise_id, key in ((OURS, "ours"), (THEIRS, "theirs")):
        parts = [f"{key}-{number}" for number in range(25)]
        for part in parts:
            await insert_template(connection, part, "x" * 200_000, enterprise_id=enterprise_id)
        includes = "".join(f'{{% xnovu_render "{part}" %}}' for part in parts)
        await insert_template(connection, key, includes, enterprise_id=enterprise_id)
    ours, theirs = await two_rows_with(connection, **{OURS: "ours", THEIRS: "theirs"})

    claims = [a_claim(OURS, ours), a_claim(THEIRS, theirs)]
    first, second = await call_each(connection, *claims)

    assert (len(first["templates"]), first["templates_withheld"], second) == (26, False, None)
    assert (await read(connection, theirs))["notification_status"] == "PENDING"


async def test_one_that_fails_is_undone_and_the_others_are_not(connection: Connection) -> None:
    ours, theirs = await two_rows(connection)
    await call_each(connection, a_claim(OURS, ours), a_claim(THEIRS, theirs))

    answers = await call_each(
        connection,
        a_call("record_outcomes", OURS, p_outcomes=[*sent(ours), {"id": ours, "status": "LOST"}]),
        a_call("record_outcomes", THEIRS, p_outcomes=sent(theirs)),
        a_call("withdraw_heartbeat", THEIRS),
    )

    assert answers == [None, {"recorded": [theirs]}, None]
    assert (await read(connection, ours))["notification_status"] == "PROCESSING"
    assert (await read(connection, theirs))["notification_status"] == "SENT"


async def test_a_row_that_another_transaction_holds_keeps_no_other_enterprise_waiting(
    project: Project, connection: Connection
) -> None:
    ours, theirs = await two_rows(connection)
    await call_each(connection, a_claim(OURS, ours), a_claim(THEIRS, theirs))

    async with project.connect() as application, application.transaction(), asyncio.timeout(60):
        await application.execute("update notify.ent_notification set name = 'held' where id = $1", ours)
        answers = await call_each(
            connection,
            a_call("record_outcomes", OURS, p_outcomes=sent(ours)),
            a_call("record_outcomes", THEIRS, p_outcomes=sent(theirs)),
        )

    assert answers == [None, {"recorded": [theirs]}]


HEAVY = {"text": "x" * 500_000}


async def test_what_would_be_too_much_at_once_is_left_unclaimed(connection: Connection) -> None:
    _, theirs = await two_rows(connection)
    heavy = [await insert_notification(connection, payload=HEAVY) for _ in range(9)]

    heavy_claim, small_claim = await call_each(
        connection, a_claim(OURS, *heavy, p_uncalled=True), a_claim(THEIRS, theirs, p_uncalled=True)
    )

    assert len(heavy_claim["notifications"]) == 8
    assert small_claim is None
    assert (await read(connection, theirs))["notification_status"] == "PENDING"


async def test_claims_that_are_made_as_one_are_bounded_as_one(connection: Connection) -> None:
    first = [await insert_notification(connection, payload=HEAVY) for _ in range(5)]
    second = [await insert_notification(connection, payload=HEAVY, enterprise_id=THEIRS) for _ in range(5)]

    ours, theirs = await call_each(connection, a_claim(OURS, *first), a_claim(THEIRS, *second))

    assert (ids_of(ours), ours["deferred"]) == (first, [])
    assert (ids_of(theirs), theirs["deferred"]) == (second[:3], second[3:])


async def test_one_row_that_refuses_its_claim_or_its_outcome_spoils_no_other_enterprise_s(
    project: Project, connection: Connection
) -> None:
    ours, theirs = await two_rows(connection)
    another = await insert_notification(connection, enterprise_id=OURS)
    for column, status in (("claim", "PROCESSING"), ("outcome", "SENT")):
        async with project.connect("postgres") as owner:
            await owner.execute(
                f"alter table notify.ent_notification add constraint refuse_{column} "
                f"check (id <> {ours} or notification_status <> '{status}') not valid"
            )
        try:
            if column == "claim":
                claims = await call_each(connection, a_claim(OURS, ours, another), a_claim(THEIRS, theirs))
            else:
                await connection.execute(
                    "update notify.ent_notification set notification_status = 'PENDING' where id = $1", ours
                )
                await call_each(connection, a_claim(OURS, ours), a_claim(THEIRS, theirs))
                records = await call_each(
                    connection,
                    a_call("record_outcomes", OURS, p_outcomes=sent(ours, another)),
                    a_call("record_outcomes", THEIRS, p_outcomes=sent(theirs)),
                )
        finally:
            async with project.connect("postgres") as owner:
                await owner.execute(f"alter table notify.ent_notification drop constraint refuse_{column}")

    assert [ids_of(claim) for claim in claims] == [[another], [theirs]]
    assert [claim.get("refused") for claim in claims] == [{str(ours): "23514"}, None]
    assert records == [
        {"recorded": [another], "refused": {str(ours): {"sqlstate": "23514", "rests": False}}},
        {"recorded": [theirs]},
    ]


async def test_who_claims_anothers_row_beside_its_owner_gets_nothing_of_it(connection: Connection) -> None:
    ours, theirs = await two_rows(connection)

    claims = await call_each(connection, a_claim(OURS, ours, theirs), a_claim(THEIRS, theirs))
    records = await call_each(
        connection,
        a_call("record_outcomes", OURS, p_outcomes=sent(ours, theirs)),
        a_call("record_outcomes", THEIRS, p_outcomes=sent(theirs)),
    )

    assert [ids_of(claim) for claim in claims] == [[ours], [theirs]]
    assert records == [{"recorded": [ours]}, {"recorded": [theirs]}]


async def test_claims_of_a_worker_that_has_account_kept_tell_of_second_tries_if_there_are_any(
    connection: Connection,
) -> None:
    ours, theirs = await two_rows(connection)

    claims = await call_each(
        connection,
        *(
            {**a_claim(whose, row), "function": "claim_followed_batch"}
            for whose, row in ((OURS, ours), (THEIRS, theirs))
        ),
    )

    assert [claim["second_tries"] for claim in claims] == [{}, {}]
    assert [ids_of(claim) for claim in claims] == [[ours], [theirs]]


@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_nobody_else_may_call_it(project: Project, role: str) -> None:
    async with project.connect(role) as stranger:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await call_each(stranger)
