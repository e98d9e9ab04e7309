"""Second tries: for whom a row definitely failed, and nobody to whom something would come twice; the row keeps their
history, and stays SENT whatever becomes of them.
"""

import itertools
import random
from typing import Any

import asyncpg
import pytest

from stack.postgres import SUPERUSER
from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    THEIRS,
    Connection,
    Project,
    call,
    insert_notification,
    insert_workflow,
    read,
    update,
)

ADA, BOB, CYD = RECIPIENT, *(f"00000000-0000-4000-8000-0000000000f{digit}" for digit in (1, 2))
EARLY = "2026-11-28T10:00:00Z"

# One shape is enough: these functions know no column that differs but the list of recipients.
pytestmark = pytest.mark.parametrize("project", ["existing"], indirect=True)


class Row:
    """A row that Novu took, as its worker sees it; `base` is its transaction id."""

    def __init__(self, connection: Connection, identity: int, base: str) -> None:
        self.connection = connection
        self.id = identity
        self.base = base

    async def told(self, outcome: str, subscriber: str = ADA, channel: str = "EMAIL", **members: Any) -> None:
        await call(self.connection, "record_delivery", p_facts=[self.fact(outcome, subscriber, channel, **members)])

    def fact(
        self, outcome: str, subscriber: str = ADA, channel: str = "EMAIL", suffix: str = "", **members: Any
    ) -> dict[str, Any]:
        failed = {"cause": "provider_error"} if outcome == "failed" else {}
        return {
            "transaction_id": self.base + suffix,
            "subscriber_id": subscriber,
            "channel": channel,
            "outcome": outcome,
            "at": EARLY,
            **failed,
            **members,
        }

    async def looked_through(self, second_try: int = 0) -> None:
        look = {"id": self.id, "through": True, "again_after_seconds": None, "second_try": second_try}
        await call(self.connection, "record_delivery", p_facts=[], p_looks=[look])

    async def claim(self, owner: str = "owner") -> dict[str, Any]:
        answer: dict[str, Any] = await call(
            self.connection,
            "claim_followed_batch",
            p_enterprise_id=OURS,
            p_notification_ids=[self.id],
            p_claim_owner=owner,
            p_lease_seconds=60,
            p_keyed=True,
        )
        return answer

    async def record(self, **outcome: Any) -> Any:
        return await call(
            self.connection,
            "record_followed_outcomes",
            p_enterprise_id=OURS,
            p_claim_owner="owner",
            p_outcomes=[{"id": self.id, **outcome}],
            p_look_after_seconds=0.0,
        )

    async def is_sent(self) -> None:
        await self.record(status="SENT", transaction_id=self.base)

    async def delivery(self) -> dict[str, Any]:
        delivery: dict[str, Any] = (await read(self.connection, self.id))["delivery"]
        return delivery

    async def status(self) -> str:
        status: str = (await read(self.connection, self.id))["notification_status"]
        return status

    async def attempts(self) -> list[dict[str, Any]]:
        attempts: list[dict[str, Any]] = (await self.delivery()).get("attempts", [])
        return [{name: value for name, value in attempt.items() if name != "at"} for attempt in attempts]


async def sent_row(connection: Connection, *, kept: bool = True, **columns: Any) -> Row:
    """`kept`: its workflow at Novu is kept by `xnovu novu apply`."""
    policy = {
        name: columns.pop(name) for name in list(columns) if name.startswith("second_try") or name == "second_tries"
    }
    workflow_type = columns.pop("workflow_type", "DYNAMIC")
    workflow_id = await insert_workflow(connection, workflow_type=workflow_type, **policy)
    if kept:
        await connection.execute(
            "insert into notify.novu_workflow (workflow_key, environment_id, fingerprint, novu_updated_at, channels)"
            " select w.workflow_key, 'e', '', '', '{EMAIL,SMS}' from notify.ent_notification_workflow w where id = $1",
            workflow_id,
        )
    row = {"channels": ["EMAIL"], "recipients": [ADA], "notification_workflow_id": workflow_id, **columns}
    identity = await insert_notification(connection, **row)
    found = Row(connection, identity, "")
    found.base = (await found.claim())["notifications"][0]["transaction_base"]
    await found.is_sent()
    return found


async def begin(connection: Connection, *, now: bool = True) -> Any:
    """As the reader does; what is planned is due `now`."""
    standard = {"p_enterprise_ids": None, "p_limit": 100}
    await call(
        connection, "take_delivery_looks", p_reader="r", p_retention_seconds=3600.0, p_lease_seconds=60.0, **standard
    )
    if now:
        await connection.execute("update notify.delivery_account set try_at = now() where try_at is not null")
    return (await call(connection, "begin_second_tries", p_reader="r", **standard))["begun"]


async def replay(connection: Connection, **arguments: Any) -> Any:
    standard = {"p_enterprise_id": OURS, "p_since": None, "p_causes": None, "p_limit": 100, "p_dry_run": False}
    return await call(connection, "replay_undelivered", **{**standard, **arguments})


async def tried(row: Row) -> list[tuple[str | None, list[str]]]:
    """Whom a claim says that it is sent to, by channel."""
    told = (await row.claim())["second_tries"][str(row.id)]
    return [(part["channel"], part["recipients"]) for part in told["parts"]]


async def test_without_being_asked_nothing_is_sent_again(connection: Connection) -> None:
    row = await sent_row(connection)

    await row.told("failed")

    assert await begin(connection) == []
    assert (await row.status(), (await row.delivery())["state"]) == ("SENT", "undelivered")


async def test_who_failed_is_tried_again_in_the_channel_that_failed_and_nobody_else(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=1, channels=["EMAIL", "SMS"], recipients=[ADA, BOB, CYD])
    for person, channel in itertools.product((ADA, BOB, CYD), ("EMAIL", "SMS")):
        await row.told("failed" if (person, channel) in ((BOB, "EMAIL"), (CYD, "SMS")) else "sent", person, channel)

    begun = await begin(connection)

    assert begun == [{"enterprise_id": OURS, "rows": 1}]
    assert await row.status() == "PENDING"
    assert await tried(row) == [("EMAIL", [BOB]), ("SMS", [CYD])]
    assert await row.attempts() == [{"try": 1, "by": "workflow", "channels": ["EMAIL", "SMS"], "messages": 2}]


async def test_a_try_waits_as_long_as_the_workflow_says(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=1, second_try_after_seconds=300)
    await row.told("failed")

    assert await begin(connection, now=False) == []
    wait = await connection.fetchval("select extract(epoch from try_at - now()) from notify.delivery_account")
    assert 290 < wait <= 300


@pytest.mark.parametrize(("cause", "count"), [("provider_error", 0), ("no_address", 1)])
async def test_only_named_causes_are_tried_again(connection: Connection, cause: str, count: int) -> None:
    row = await sent_row(connection, second_tries=1, second_try_causes=["no_address"])

    await row.told("failed", cause=cause)

    assert len(await begin(connection)) == count


@pytest.mark.parametrize("suffix", ["", ".0.1"])
async def test_what_arrives_after_all_ends_it(connection: Connection, suffix: str) -> None:
    row = await sent_row(connection, second_tries=1)
    await row.told("failed")
    await begin(connection)
    await row.claim()
    await row.is_sent()

    await row.told("sent", suffix=suffix)

    delivery = await row.delivery()
    assert (delivery["state"], delivery["channels"]["EMAIL"]["failed"]) == ("delivered", 0)
    assert await row.attempts() == [
        {"try": 1, "by": "workflow", "channels": ["EMAIL"], "messages": 1, "sent": 1, "failed": 0}
    ]
    assert await begin(connection) == []


async def test_a_try_that_fails_is_the_end_after_as_many_as_the_workflow_says(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=2)
    await row.told("failed")
    tries = []
    for number in (1, 2, 3):
        tries.append(len(await begin(connection)))
        await row.claim()
        await row.is_sent()
        before = await row.delivery()
        await row.told("failed", suffix=f".0.{number}")
        if number < 3:
            assert (before["state"], (await row.delivery())["state"]) == ("accepted", "undelivered")

    assert tries == [1, 1, 0]
    assert [(it["try"], it["sent"], it["failed"]) for it in await row.attempts()] == [(1, 0, 1), (2, 0, 1)]


async def test_an_old_failure_told_again_does_not_end_a_try(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=2)
    await row.told("failed")
    await begin(connection)

    await row.told("failed")
    await row.looked_through(second_try=0)

    assert (await row.delivery())["state"] == "accepted"
    assert await begin(connection) == []


async def test_the_same_news_in_any_order_is_the_same_account(connection: Connection) -> None:
    rows = [await sent_row(connection, second_tries=1, channels=["EMAIL", "SMS"], recipients=[ADA, BOB]) for _ in "ab"]
    for row in rows:
        for person, channel in itertools.product((ADA, BOB), ("EMAIL", "SMS")):
            await row.told("failed", person, channel)
        await row.looked_through()
    await begin(connection)
    chance = random.Random(20261128)
    news = [
        (outcome, person, channel, suffix)
        for person, channel in itertools.product((ADA, BOB), ("EMAIL", "SMS"))
        for suffix in ("", ".0.1", ".7.1")
        for outcome in chance.choices(("sent", "failed", "skipped"), weights=(1, 3, 2), k=2)
    ]
    for row in rows:
        told = news * 2
        chance.shuffle(told)
        while told:
            batch, told = told[:3], told[3:]
            facts = [row.fact(*it[:3], suffix=it[3]) for it in batch]
            await call(connection, "record_delivery", p_facts=facts)

    first, second = [{**await row.delivery(), "attempts": await row.attempts()} for row in rows]
    assert first == second


async def test_what_a_try_leaves_out_of_other_channels_is_no_news_of_them(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=1, channels=["EMAIL", "SMS"])
    await row.told("failed")
    await row.told("failed", channel="SMS", cause="no_address")
    await begin(connection)

    await row.told("skipped", channel="SMS", suffix=".0.1", cause="condition")

    assert (await row.delivery())["channels"]["SMS"]["failed"] == 1


@pytest.mark.parametrize("how", [{"workflow_type": "STATIC"}, {"kept": False}])
async def test_where_every_step_would_run_again_only_those_are_tried_whom_nothing_reached(
    connection: Connection, how: dict[str, Any]
) -> None:
    row = await sent_row(connection, second_tries=1, channels=["EMAIL", "SMS"], recipients=[ADA, BOB], **how)
    await row.told("failed")
    await row.told("failed", channel="SMS", cause="no_address")
    await row.told("failed", BOB)
    await row.told("sent", BOB, "SMS")
    await row.looked_through()

    await begin(connection)

    assert await tried(row) == [(None, [ADA])]
    # Two facts are awaited of one event and person.
    looks = await connection.fetchrow("select try_entries, try_chunks from notify.delivery_account")
    assert looks is not None
    assert tuple(looks) == (1, 1)


async def test_chunks_are_counted_on_and_a_claim_names_what_was_before(connection: Connection) -> None:
    people = [f"00000000-0000-4000-8000-{number:012d}" for number in range(250)]
    row = await sent_row(connection, second_tries=1, recipients=people)
    facts = [row.fact("failed" if number < 120 else "sent", person) for number, person in enumerate(people)]
    await call(connection, "record_delivery", p_facts=facts)
    await begin(connection)

    claimed = await row.claim()

    told = claimed["second_tries"][str(row.id)]
    assert (told["number"], told["first_chunk"], claimed["notifications"][0]["chunks_sent"]) == (1, 3, 3)
    assert [part["recipients"] for part in told["parts"]] == [people[:120]]
    assert await connection.fetchval("select try_chunks from notify.delivery_account") == 2


async def test_code_that_knows_nothing_of_second_tries_sends_nothing_of_them(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=1)
    await row.told("failed")
    await begin(connection)

    claimed = await call(
        connection,
        "claim_batch",
        p_enterprise_id=OURS,
        p_notification_ids=[row.id],
        p_claim_owner="owner",
        p_lease_seconds=60,
    )

    # All of its chunks are with Novu already.
    assert claimed["notifications"][0]["chunks_sent"] == 1


async def test_what_is_retracted_is_cancelled_in_all_of_its_tries(connection: Connection) -> None:
    row = await sent_row(connection, channels=["EMAIL", "SMS"], second_tries=2)
    await row.told("failed")
    await row.told("failed", channel="SMS")
    for _ in range(2):
        await begin(connection)
        await row.claim()
        await row.is_sent()
        await row.told("sent", suffix=".0.1")
        await row.told("failed", channel="SMS", suffix=".1.1")

    await call(
        connection, "retract_notifications", p_enterprise_id=OURS, p_notification_ids=[row.id], p_reason="wrong price"
    )

    [asked] = await call(connection, "retractions_to_cancel", p_enterprise_id=OURS, p_notification_ids=[row.id])
    assert (asked["transaction_id"], asked["second_tries"]) == (row.base, [2, 1])


async def test_a_row_that_is_not_to_be_sent_any_more_is_left(connection: Connection) -> None:
    hindrances = {
        "deactivated = true": "inactive",
        "deliver_before = now() - interval '1 second'": "past_deliver_before",
        "notification_status = 'RETRACTED'": "not_sent",
        "delivery_key = md5('another')": "without_key",
    }
    for change, hindrance in hindrances.items():
        row = await sent_row(connection, second_tries=1)
        await row.told("failed")
        await update(connection, [row.id], change)

        assert await begin(connection) == []
        assert (await replay(connection))["left_out"] == {hindrance: 1}

        await connection.execute("delete from notify.delivery_account")


async def test_a_try_that_is_retracted_before_it_is_sent_is_over(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=1)
    await row.told("failed")
    await begin(connection)
    await update(connection, [row.id], "notification_status = 'RETRACTED'")

    await begin(connection)

    assert (await row.delivery())["state"] == "undelivered"


@pytest.mark.parametrize(
    ("details", "again"),
    [
        ({"code": "expired", "chunks_sent": 1}, 1),
        ({"code": "template_not_found"}, 1),
        ({"code": "novu_refused", "chunks_sent": 2}, 0),
        ({"code": "novu_refused", "chunks_sent": 1, "chunks_beyond": 1}, 0),
    ],
)
async def test_a_refused_try_leaves_the_row_sent_and_says_why(
    connection: Connection, details: dict[str, Any], again: int
) -> None:
    row = await sent_row(connection, second_tries=2)
    await row.told("failed")
    await begin(connection)
    await row.claim()

    await row.record(status="FAILED", reached_novu=bool(details.get("chunks_sent")), error_details=details)

    found = await read(connection, row.id)
    assert (found["notification_status"], found["error_details"]) == ("SENT", None)
    assert (await row.delivery())["state"] == "undelivered"
    assert [it["refused"] for it in await row.attempts()] == [details["code"]]
    # What may have reached Novu in part is not tried again: it did not definitely fail.
    assert len(await begin(connection)) == again


async def test_given_up_it_is_not_known_what_novu_has_and_nothing_is_tried_again(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=2)
    await row.told("failed")
    await begin(connection)
    await row.claim()

    await row.record(status="FAILED", reached_novu=True, error_details={"code": "delivery_timed_out"})

    assert await begin(connection) == []
    assert (await replay(connection))["left_out"] == {"would_repeat_what_arrived": 1}


async def test_by_hand_a_dry_run_tells_what_would_be_done_and_changes_nothing(connection: Connection) -> None:
    row = await sent_row(connection, recipients=[ADA, BOB])
    other = await sent_row(connection)
    await row.told("failed")
    await row.told("sent", BOB)
    await other.told("failed", cause="no_address")
    before = [await read(connection, it.id) for it in (row, other)]

    dry = await replay(connection, p_dry_run=True)
    one_cause = await replay(connection, p_dry_run=True, p_causes=["no_address"])
    limited = await replay(connection, p_dry_run=True, p_limit=1)
    theirs = await replay(connection, p_enterprise_id=THEIRS)

    assert [await read(connection, it.id) for it in (row, other)] == before
    assert dry == {
        "dry_run": True,
        "notification_ids": [row.id, other.id],
        "messages": [{"channel": "EMAIL", "rows": 2, "people": 2}],
        "left_out": {},
    }
    assert one_cause["notification_ids"] == [other.id]
    assert (limited["notification_ids"], limited["left_out"]) == ([row.id], {"beyond_limit": 1})
    assert theirs["notification_ids"] == []


async def test_by_hand_it_is_begun_whatever_the_workflow_says(connection: Connection) -> None:
    row = await sent_row(connection)
    await row.told("failed")

    done = await replay(connection)

    assert (done["notification_ids"], await row.status()) == ([row.id], "PENDING")
    assert [it["by"] for it in await row.attempts()] == ["hand"]
    assert (await replay(connection))["notification_ids"] == []


async def test_a_row_that_refuses_it_holds_up_no_other(project: Project, connection: Connection) -> None:
    found = [await sent_row(connection, second_tries=1, name=name) for name in ("refused", "other")]
    for row in found:
        await row.told("failed")
    async with project.connect(SUPERUSER) as owner:
        await owner.execute(
            "alter table notify.ent_notification add constraint no_second_try"
            " check (name <> 'refused' or notification_status <> 'PENDING')"
        )
        try:
            await begin(connection)
            refused = await replay(connection)
        finally:
            await owner.execute("alter table notify.ent_notification drop constraint no_second_try")

    assert [await row.status() for row in found] == ["SENT", "PENDING"]
    assert refused["left_out"] == {"refused": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"second_tries": 11},
        {"second_tries": -1},
        {"second_try_after_seconds": 9},
        {"second_try_causes": ["weather"]},
        {"second_try_causes": ["preference"]},
    ],
)
async def test_a_workflow_that_asks_for_nonsense_is_refused(connection: Connection, wrong: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match=next(iter(wrong))):
        await insert_workflow(connection, **wrong)


async def test_only_who_reads_begins_what_is_due(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=1)
    await row.told("failed")
    await begin(connection, now=False)
    await connection.execute("update notify.delivery_account set try_at = now()")

    answer = await call(connection, "begin_second_tries", p_reader="another", p_enterprise_ids=None, p_limit=10)

    assert answer == {"begun": []}
    assert await row.status() == "SENT"


async def test_whom_a_try_is_for_is_not_forgotten_before_it_is_sent(connection: Connection) -> None:
    row = await sent_row(connection, second_tries=1)
    await row.told("failed")
    await begin(connection)
    await connection.execute("update notify.delivery_account set opened_at = now() - interval '1 day'")

    await begin(connection)

    assert await tried(row) == [("EMAIL", [ADA])]
