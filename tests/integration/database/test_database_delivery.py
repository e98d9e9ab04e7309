"""record_delivery and what belongs to it: the account of what became of a row is the same in whatever order its events
come, and however often; it names nobody; it ends.
"""

import random
from typing import Any

import asyncpg
import pytest

from stack.postgres import SUPERUSER
from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    Connection,
    Project,
    call,
    claim,
    insert_notification,
    insert_workflow,
    read,
    update,
)

EARLY, LATE = "2026-11-28T10:00:00Z", "2026-11-28T10:00:09Z"
OTHER_RECIPIENT = "00000000-0000-4000-8000-0000000000fe"


def fact(notification_id: int, outcome: str = "sent", **members: Any) -> dict[str, Any]:
    return {
        "transaction_id": f"xnovu.{OURS}.{notification_id}",
        "subscriber_id": RECIPIENT,
        "channel": "EMAIL",
        "outcome": outcome,
        "at": EARLY,
        **members,
    }


async def record(connection: Connection, *facts: dict[str, Any], looks: list[dict[str, Any]] | None = None) -> Any:
    return await call(connection, "record_delivery", p_facts=list(facts), p_looks=looks or [])


async def sent_row(connection: Connection, *, workflow_type: str = "DYNAMIC", **columns: Any) -> int:
    """A row that Novu took, and of which account is kept."""
    workflow_id = await insert_workflow(connection, workflow_type=workflow_type)
    row = {"channels": ["EMAIL"], "recipients": [RECIPIENT], "notification_workflow_id": workflow_id, **columns}
    notification_id = await insert_notification(connection, **row)
    await claim(connection, [notification_id])
    await record_sent(connection, notification_id)
    return notification_id


async def record_sent(connection: Connection, *notification_ids: int, followed: bool = True) -> Any:
    outcomes = [{"id": key, "status": "SENT", "transaction_id": f"xnovu.{OURS}.{key}"} for key in notification_ids]
    arguments: dict[str, Any] = {"p_enterprise_id": OURS, "p_claim_owner": "owner", "p_outcomes": outcomes}
    if not followed:
        return await call(connection, "record_outcomes", **arguments)
    return await call(connection, "record_followed_outcomes", **arguments, p_look_after_seconds=0)


async def delivery(connection: Connection, notification_id: int) -> Any:
    return (await read(connection, notification_id))["delivery"]


async def test_without_being_asked_no_account_is_kept(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    await record_sent(connection, notification_id, followed=False)

    answer = await record(connection, fact(notification_id))

    assert await delivery(connection, notification_id) is None
    assert answer["unknown_transactions"] == 1
    assert await connection.fetchval("select count(*) from notify.delivery_account") == 0


async def test_whoever_novu_took_it_for_and_sent_it_to_is_counted(connection: Connection) -> None:
    notification_id = await sent_row(connection)
    accepted = await delivery(connection, notification_id)

    answer = await record(connection, fact(notification_id))

    assert accepted == {"state": "accepted"}
    counts = {"sent": 1, "failed": 0, "skipped": 0, "seen": 0, "read": 0}
    assert await delivery(connection, notification_id) == {"state": "delivered", "channels": {"EMAIL": counts}}
    assert answer["states"] == [{"enterprise_id": OURS, "state": "delivered", "rows": 1}]
    assert answer["messages"] == [{"enterprise_id": OURS, "channel": "EMAIL", "outcome": "sent", "messages": 1}]


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (("sent", "sent"), "delivered"),
        (("sent", "failed"), "partly"),
        (("failed", "failed"), "undelivered"),
        (("skipped", "skipped"), "undelivered"),
        (("sent", "skipped"), "delivered"),
        (("sent", None), "accepted"),
        (("failed", None), "accepted"),
    ],
)
async def test_the_state_says_whom_it_reached(
    connection: Connection, outcomes: tuple[str | None, ...], state: str
) -> None:
    notification_id = await sent_row(connection, recipients=[RECIPIENT, OTHER_RECIPIENT])
    people = zip((RECIPIENT, OTHER_RECIPIENT), outcomes, strict=True)

    await record(
        connection, *(fact(notification_id, outcome, subscriber_id=it) for it, outcome in people if outcome is not None)
    )

    assert (await delivery(connection, notification_id))["state"] == state


async def test_of_a_static_workflow_only_a_look_knows_that_it_is_complete(connection: Connection) -> None:
    notification_id = await sent_row(connection, workflow_type="STATIC")
    await record(connection, fact(notification_id))
    before = await delivery(connection, notification_id)

    await record(connection, looks=[{"id": notification_id, "through": True, "again_after_seconds": None}])

    assert before["state"] == "accepted"
    assert (await delivery(connection, notification_id))["state"] == "delivered"


async def test_the_first_cause_is_kept(connection: Connection) -> None:
    notification_id = await sent_row(connection, recipients=[RECIPIENT, OTHER_RECIPIENT])

    await record(connection, fact(notification_id, "failed", cause="provider_error", at=LATE))
    await record(connection, fact(notification_id, "failed", cause="no_address", subscriber_id=OTHER_RECIPIENT))

    assert (await delivery(connection, notification_id))["cause"] == "no_address"


async def test_an_event_may_come_before_the_row_is_sent(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection, workflow_type="DYNAMIC")
    notification_id = await insert_notification(
        connection, channels=["EMAIL"], recipients=[RECIPIENT], notification_workflow_id=workflow_id
    )
    await claim(connection, [notification_id])

    await record(connection, fact(notification_id))
    await record_sent(connection, notification_id)

    row = await read(connection, notification_id)
    assert (row["notification_status"], row["delivery"]["state"]) == ("SENT", "delivered")


async def test_bookkeeping_does_not_look_like_an_ending(connection: Connection) -> None:
    notification_id = await sent_row(connection)
    before = (await read(connection, notification_id))["updated_at"]

    await record(connection, fact(notification_id))

    assert (await read(connection, notification_id))["updated_at"] == before


async def test_what_novu_left_out_unasked_is_no_news(connection: Connection) -> None:
    notification_id = await sent_row(connection)

    await record(connection, fact(notification_id), fact(notification_id, "skipped", channel="SMS"))

    assert list((await delivery(connection, notification_id))["channels"]) == ["EMAIL"]


async def test_nobody_is_named(connection: Connection) -> None:
    notification_id = await sent_row(connection)

    await record(connection, fact(notification_id, "failed", cause="provider_error"))

    stored = await connection.fetch("select f::text as row from notify.delivery_fact f")
    assert len(stored) == 1
    assert RECIPIENT not in str(stored) + str(await delivery(connection, notification_id))


@pytest.mark.parametrize("seed", range(12))
async def test_order_and_repetition_change_nothing(connection: Connection, seed: int) -> None:
    """The same events, told in two orders, some twice, in batches of any size: one account."""
    chance = random.Random(seed)
    people = [f"00000000-0000-4000-8000-00000000000{digit}" for digit in range(4)]
    channels = ["EMAIL", "IN_APP"]
    rows = [await sent_row(connection, recipients=people, channels=channels) for _ in range(2)]
    events = [
        {
            "outcome": chance.choice(["sent", "failed", "skipped"]),
            "subscriber_id": chance.choice(people),
            "channel": chance.choice(channels),
            "cause": chance.choice(["provider_error", "no_address", None]),
            "at": chance.choice([EARLY, LATE]),
            "seen": chance.random() < 0.3,
            "read": chance.random() < 0.2,
        }
        for _ in range(chance.randint(1, 25))
    ]

    for row in rows:
        told = [*events, *chance.sample(events, len(events) // 2)]
        chance.shuffle(told)
        while told:
            size = chance.randint(1, 6)
            batch, told = told[:size], told[size:]
            await record(connection, *({**fact(row), **event} for event in batch))

    first, second = [await delivery(connection, row) for row in rows]
    assert first == second
    assert sum(counts["sent"] for counts in first["channels"].values()) == len(
        {(it["subscriber_id"], it["channel"]) for it in events if it["outcome"] == "sent"}
    )


@pytest.mark.parametrize(
    "wrong",
    [{"channel": "PIGEON"}, {"outcome": "lost"}, {"subscriber_id": None}, {"at": None}, {"transaction_id": None}],
)
async def test_what_is_no_fact_is_refused(connection: Connection, wrong: dict[str, Any]) -> None:
    notification_id = await sent_row(connection)

    with pytest.raises(asyncpg.InvalidParameterValueError):
        await record(connection, {**fact(notification_id), **wrong})


@pytest.mark.parametrize(
    "transaction_id",
    ["", "xnovu", "xnovu.x", "theirs.1", "xnovu..1", "xnovu.a.99999999999999999999", "xnovu.a.1.2.3", "x" * 4000],
)
async def test_what_is_no_transaction_of_ours_is_counted_and_left(connection: Connection, transaction_id: str) -> None:
    answer = await record(connection, {**fact(1), "transaction_id": transaction_id})

    assert (answer["new_facts"], answer["unknown_transactions"]) == (0, 1)


@pytest.mark.parametrize("suffix", ["", ".1", ".3.1", ".0.2"])
async def test_chunks_and_later_tries_are_the_rows_own(connection: Connection, suffix: str) -> None:
    notification_id = await sent_row(connection)
    key = (await read(connection, notification_id))["delivery_key"]

    await record(connection, {**fact(notification_id), "transaction_id": f"xnovu.{key}{suffix}"})

    assert (await delivery(connection, notification_id))["state"] == "delivered"


@pytest.mark.parametrize("suffix", ["", ".1"])
async def test_rows_sent_before_there_were_keys_are_found_by_their_old_ids(connection: Connection, suffix: str) -> None:
    notification_id = await sent_row(connection)

    await record(connection, {**fact(notification_id), "transaction_id": f"xnovu.{OURS}.{notification_id}{suffix}"})

    assert (await delivery(connection, notification_id))["state"] == "delivered"


REFUSING = """
create function notify.refuse_grace() returns trigger language plpgsql as $$
begin
    if new.delivery is not null and new.name = 'refused' and new.delivery is distinct from old.delivery then
        raise exception 'no account of this one' using errcode = 'PT409';
    end if;
    return new;
end
$$;
create trigger refuse_grace before update on notify.ent_notification
    for each row execute function notify.refuse_grace();
"""


async def test_a_row_that_takes_no_account_costs_neither_its_outcome_nor_the_others_account(
    separate_project: Project,
) -> None:
    async with separate_project.connect(SUPERUSER) as connection:
        await connection.execute(REFUSING)
        workflow_id = await insert_workflow(connection)
        columns = {"recipients": [RECIPIENT], "notification_workflow_id": workflow_id, "channels": ["EMAIL"]}
        ids = [await insert_notification(connection, **columns, name=name) for name in ("refused", "other")]
        await claim(connection, ids)

        assert (await record_sent(connection, *ids))["recorded"] == ids

        assert [(await read(connection, key))["notification_status"] for key in ids] == ["SENT", "SENT"]
        assert [await delivery(connection, key) for key in ids] == [None, {"state": "accepted"}]


async def test_a_row_that_takes_no_news_of_its_account_holds_up_no_others(separate_project: Project) -> None:
    async with separate_project.connect(SUPERUSER) as connection:
        workflow_id = await insert_workflow(connection)
        columns = {"recipients": [RECIPIENT], "notification_workflow_id": workflow_id, "channels": ["EMAIL"]}
        ids = [await insert_notification(connection, **columns, name=name) for name in ("a", "refused", "b")]
        await claim(connection, ids)
        await record_sent(connection, *ids)
        await connection.execute(REFUSING)

        await record(connection, *map(fact, ids))

        states = [(await delivery(connection, key))["state"] for key in ids]
        assert states == ["delivered", "accepted", "delivered"]
        followed = await connection.fetch("select notification_id from notify.delivery_account order by 1")
        assert [row["notification_id"] for row in followed] == [ids[0], ids[2]]


async def test_a_row_that_cannot_be_told_that_novu_has_forgotten_it_holds_up_no_others(
    separate_project: Project,
) -> None:
    async with separate_project.connect(SUPERUSER) as connection:
        workflow_id = await insert_workflow(connection)
        columns = {"recipients": [RECIPIENT], "notification_workflow_id": workflow_id, "channels": ["EMAIL"]}
        ids = [await insert_notification(connection, **columns, name=name) for name in ("a", "refused", "b")]
        await claim(connection, ids)
        await record_sent(connection, *ids)
        await connection.execute(REFUSING)

        taken = await take(connection, p_retention_seconds=-1.0)

        assert taken["closed"] == 3
        assert [(await delivery(connection, key))["state"] for key in ids] == ["unknown", "accepted", "unknown"]
        assert await connection.fetchval("select count(*) from notify.delivery_account") == 0


async def test_another_enterprises_id_is_not_the_rows(connection: Connection) -> None:
    notification_id = await sent_row(connection)

    answer = await record(connection, {**fact(notification_id), "transaction_id": f"xnovu.other.{notification_id}"})

    assert answer["unknown_transactions"] == 1
    assert (await delivery(connection, notification_id))["state"] == "accepted"


async def take(connection: Connection, reader: str = "reader", **arguments: Any) -> Any:
    standard = {
        "p_reader": reader,
        "p_enterprise_ids": None,
        "p_limit": 10,
        "p_retention_seconds": 3600.0,
        "p_lease_seconds": 60.0,
    }
    return await call(connection, "take_delivery_looks", **{**standard, **arguments})


async def test_one_reader_at_a_time_is_given_what_is_due(connection: Connection) -> None:
    notification_id = await sent_row(connection)

    first, other, again = await take(connection), await take(connection, "other"), await take(connection)

    assert [look["id"] for look in first["looks"]] == [notification_id]
    assert first["looks"][0]["transaction_id"] == f"xnovu.{OURS}.{notification_id}"
    assert other == {"mine": False}
    assert again["looks"] == []


async def test_a_reader_that_lets_go_gives_way_at_once(connection: Connection) -> None:
    await sent_row(connection)
    await take(connection)
    before = await take(connection, "other")

    await take(connection, p_limit=0, p_lease_seconds=0.0)

    assert (before["mine"], (await take(connection, "other"))["mine"]) == (False, True)


async def test_an_account_that_is_told_everything_is_not_asked_for(connection: Connection) -> None:
    notification_id = await sent_row(connection)
    await record(connection, fact(notification_id))

    assert (await take(connection))["looks"] == []


async def test_what_novu_has_forgotten_is_unknown_and_whom_it_concerned_is_forgotten(connection: Connection) -> None:
    incomplete = await sent_row(connection, recipients=[RECIPIENT, OTHER_RECIPIENT])
    complete = await sent_row(connection)
    await record(connection, fact(incomplete), fact(complete))
    await connection.execute("update notify.delivery_account set opened_at = now() - interval '2 hours'")

    answer = await take(connection)

    lost = await delivery(connection, incomplete)
    assert (lost["state"], lost["channels"]["EMAIL"]["sent"]) == ("unknown", 1)
    assert (await delivery(connection, complete))["state"] == "delivered"
    assert (answer["closed"], answer["looks"]) == (2, [])
    assert answer["states"] == [{"enterprise_id": OURS, "state": "unknown", "rows": 1}]
    assert await connection.fetchval("select count(*) from notify.delivery_fact") == 0


async def test_an_event_after_the_end_changes_nothing(connection: Connection) -> None:
    notification_id = await sent_row(connection)
    await record(connection, fact(notification_id))
    await connection.execute("delete from notify.delivery_account")
    before = await delivery(connection, notification_id)

    answer = await record(connection, fact(notification_id, "failed", cause="provider_error", read=True))

    assert await delivery(connection, notification_id) == before
    assert answer["unknown_transactions"] == 1


async def test_a_large_row_is_counted_when_it_is_looked_at(connection: Connection) -> None:
    people = [f"00000000-0000-4000-8000-{number:012d}" for number in range(501)]
    notification_id = await sent_row(connection, recipients=people)
    facts = [fact(notification_id, subscriber_id=it) for it in people]

    await record(connection, *facts)
    before = await delivery(connection, notification_id)
    await record(connection, looks=[{"id": notification_id, "through": False, "again_after_seconds": None}])

    assert before == {"state": "accepted"}
    assert (await delivery(connection, notification_id))["state"] == "delivered"


async def test_accounts_go_with_their_rows(connection: Connection) -> None:
    notification_id = await sent_row(connection)
    await record(connection, fact(notification_id))

    await connection.execute("delete from notify.ent_notification where id = $1", notification_id)

    assert await connection.fetchval("select count(*) from notify.delivery_fact") == 0


async def test_a_retracted_row_keeps_its_account(connection: Connection) -> None:
    notification_id = await sent_row(connection)
    await record(connection, fact(notification_id))

    await update(connection, [notification_id], "notification_status = 'RETRACTED'")
    await record(connection, fact(notification_id, read=True))

    assert (await delivery(connection, notification_id))["channels"]["EMAIL"]["read"] == 1


@pytest.mark.parametrize(
    "written", ["1", "[]", '"sent"', '{"attempts": 1}', '{"channels": {"EMAIL": {"sent": "many", "failed": {}}}}']
)
async def test_whatever_somebody_wrote_into_the_column_holds_up_nobody(connection: Connection, written: str) -> None:
    notification_id, other = await sent_row(connection), await sent_row(connection)
    await update(connection, [notification_id], f"delivery = '{written}'")

    looks = (await take(connection))["looks"]
    await record(connection, fact(notification_id), fact(other))

    assert {look["id"] for look in looks} == {notification_id, other}
    states = [(await delivery(connection, key))["state"] for key in (notification_id, other)]
    assert states == ["delivered", "delivered"]


async def test_what_settled_since_is_told_in_order(connection: Connection) -> None:
    first, second, still_open = [await sent_row(connection) for _ in range(3)]
    since = await connection.fetchval("select now() - interval '1 minute'")
    await record(connection, fact(second))
    await record(connection, fact(first, "failed", cause="no_address"))

    page = await call(connection, "settled_deliveries", p_since=since, p_after_id=0, p_enterprise_id=OURS, p_limit=10)

    told = [(it["id"], it["state"], it["cause"]) for it in page["settled"]]
    assert told == [(second, "delivered", None), (first, "undelivered", "no_address")]
    states = await call(connection, "delivery_states", p_enterprise_ids=[OURS])
    assert (states["rows"], states["states"]) == (3, {"accepted": 1, "delivered": 1, "undelivered": 1})
    assert states["unheard_seconds"] > 0
    assert (await call(connection, "trace_notification", p_notification_id=still_open))["delivery"] == {
        "state": "accepted"
    }
