"""The reader of Novu's activity: whom it asks about, how often, and when it has heard enough."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from shared.notification.delivery import DeliveryFact
from shared.ports import (
    ActivityPage,
    ActivityUnavailable,
    AnswerTooLarge,
    DeliveryLook,
    LookedAt,
    RecordedDelivery,
    StoreUnavailable,
    TakenLooks,
)
from worker.delivery_reader import (
    IDLE_SECONDS,
    LEASE_SECONDS,
    READING_AGAIN_SECONDS,
    DeliveryReader,
    again_after_seconds,
)


def look(number: int = 1, **members: Any) -> DeliveryLook:
    standard = {"persons": 1, "age_seconds": 6.0, "complete": False, "unread": False}
    return DeliveryLook(
        **{
            "notification_id": number,
            "enterprise_id": "acme",
            "transaction_id": f"xnovu.acme.{number}",
            **standard,
            **members,
        }
    )


def entry(
    number: int = 1, subscriber: str = "ada", *, status: str = "completed", kind: str = "email"
) -> dict[str, Any]:
    return {
        "transactionId": f"xnovu.acme.{number}",
        "subscriber": {"subscriberId": subscriber},
        "createdAt": "2026-11-28T10:00:00Z",
        "jobs": [{"type": "trigger", "status": "completed"}, {"type": kind, "status": status, "executionDetails": []}],
    }


class Accounts:
    """Gives what it was made with, once; remembers what it is told."""

    def __init__(self, *looks: DeliveryLook, mine: bool = True, **members: Any) -> None:
        self.taken = TakenLooks(mine, looks, **members)
        self.facts: list[DeliveryFact] = []
        self.looked: list[LookedAt] = []
        self.limits: list[int] = []
        self.leases: list[float] = []
        self.begun: tuple[tuple[str, int], ...] = ()
        self.readers: list[str] = []

    async def record(self, facts: Sequence[DeliveryFact], looks: Sequence[LookedAt] = ()) -> RecordedDelivery:
        self.facts.extend(facts)
        self.looked.extend(looks)
        return RecordedDelivery(len(facts), 0)

    async def take(
        self, reader: str, enterprise_ids: Collection[str], *, limit: int, lease_seconds: float, **_: Any
    ) -> TakenLooks:
        self.limits.append(limit)
        self.leases.append(lease_seconds)
        return self.taken

    async def begin_second_tries(
        self, reader: str, enterprise_ids: Collection[str], *, limit: int
    ) -> tuple[tuple[str, int], ...]:
        self.readers.append(reader)
        return self.begun


class Activity:
    """Answers by transaction id, from what it was made with, a page at a time."""

    def __init__(self, *entries: Mapping[str, Any], error: Exception | None = None, heaviest: int = 50) -> None:
        self.entries = entries
        self.error = error
        self.heaviest = heaviest
        self.asked: list[tuple[int, int, int]] = []

    async def notifications(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        self.asked.append((len(transaction_ids), page, limit))
        if self.error is not None:
            raise self.error
        if limit > self.heaviest:
            raise AnswerTooLarge("too large")
        found = [it for it in self.entries if it["transactionId"] in transaction_ids]
        return ActivityPage(tuple(found[page * limit : (page + 1) * limit]), len(found) > (page + 1) * limit)

    messages = notifications


def reader(accounts: Accounts, activity: Activity, *, follows_reading: bool = False) -> DeliveryReader:
    return DeliveryReader(
        accounts, lambda _: activity, requests_per_second=1e6, retention_seconds=3600, follows_reading=follows_reading
    )


async def test_what_is_over_is_told_and_not_asked_for_again() -> None:
    accounts = Accounts(look())

    seconds = await reader(accounts, Activity(entry())).look()

    assert [(fact.channel, fact.outcome) for fact in accounts.facts] == [("EMAIL", "sent")]
    assert accounts.looked == [LookedAt(1, True, None)]
    assert seconds == 0


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [entry(status="pending"), entry(subscriber="bob")],
        [entry()],
        [entry(), entry()],
        [entry(), {"transactionId": "xnovu.acme.1", "subscriber": {"subscriberId": "bob"}, "jobs": []}],
    ],
    ids=["nothing yet", "a step on its way", "one of two people", "one person twice", "not begun"],
)
async def test_what_is_not_over_is_asked_for_again(entries: list[dict[str, Any]]) -> None:
    accounts = Accounts(look(persons=2))

    await reader(accounts, Activity(*entries)).look()

    assert accounts.looked == [LookedAt(1, False, again_after_seconds(6.0))]


async def test_many_single_ones_are_asked_for_together_and_each_is_judged_by_itself() -> None:
    activity = Activity(*(entry(number) for number in range(1, 60) if number != 7))
    accounts = Accounts(*(look(number) for number in range(1, 60)))

    await reader(accounts, activity).look()

    assert [ids for ids, _, _ in activity.asked] == [25, 25, 9]
    assert [it.notification_id for it in accounts.looked if not it.through] == [7]
    assert len(accounts.looked) == 59


async def test_all_pages_of_a_large_one_are_read() -> None:
    people = [f"p{number}" for number in range(120)]
    ids = {person: "xnovu.acme.1" if place < 100 else "xnovu.acme.1.1" for place, person in enumerate(people)}
    activity = Activity(*({**entry(subscriber=person), "transactionId": it} for person, it in ids.items()))
    accounts = Accounts(look(persons=120))

    await reader(accounts, activity).look()

    assert activity.asked == [(2, 0, 50), (2, 1, 50), (2, 2, 50)]
    assert {fact.subscriber_id for fact in accounts.facts} == set(people)
    assert accounts.looked == [LookedAt(1, True, None)]


async def test_pages_that_are_too_large_are_asked_for_in_smaller_ones() -> None:
    people = [f"p{number}" for number in range(20)]
    activity = Activity(*(entry(subscriber=person) for person in people), heaviest=12)
    accounts = Accounts(look(persons=20))

    await reader(accounts, activity).look()

    assert {fact.subscriber_id for fact in accounts.facts} == set(people)
    assert accounts.looked == [LookedAt(1, True, None)]


async def test_one_that_can_never_be_read_holds_up_no_other() -> None:
    accounts = Accounts(look(1, persons=50), look(2))

    class Choking(Activity):
        async def notifications(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
            if "xnovu.acme.1" in transaction_ids:
                raise AnswerTooLarge("too large")
            return await super().notifications(transaction_ids, page, limit)

    await reader(accounts, Choking(entry(2))).look()

    assert [(it.notification_id, it.through) for it in accounts.looked] == [(1, False), (2, True)]


async def test_who_has_read_is_asked_for_only_where_nobody_tells() -> None:
    in_app = Activity(entry(kind="in_app"))
    following, told = Accounts(look()), Accounts(look())

    await reader(following, in_app, follows_reading=True).look()
    await reader(told, in_app).look()

    assert following.looked == [LookedAt(1, True, READING_AGAIN_SECONDS)]
    assert told.looked == [LookedAt(1, True, None)]


async def test_reading_is_read_off_the_messages() -> None:
    message = {
        "transactionId": "xnovu.acme.1",
        "subscriberId": "ada",
        "channel": "in_app",
        "status": "sent",
        "seen": True,
        "read": True,
        "content": "private",
        "createdAt": "2026-11-28T10:00:00Z",
    }
    accounts = Accounts(look(complete=True, unread=True))

    await reader(accounts, Activity(message), follows_reading=True).look()

    assert [(fact.channel, fact.seen, fact.read) for fact in accounts.facts] == [("IN_APP", True, True)]
    assert accounts.looked == [LookedAt(1, True, READING_AGAIN_SECONDS)]


async def test_a_large_one_that_webhooks_completed_is_counted_without_asking_novu() -> None:
    activity, accounts = Activity(), Accounts(look(complete=True))

    await reader(accounts, activity).look()

    assert (activity.asked, accounts.looked) == ([], [LookedAt(1, True, None)])


async def test_another_reader_is_left_to_read() -> None:
    activity = Activity()

    seconds = await reader(Accounts(mine=False), activity).look()

    assert activity.asked == []
    assert seconds > IDLE_SECONDS


@pytest.mark.parametrize(("mine", "leases"), [(True, [LEASE_SECONDS, 0]), (False, [LEASE_SECONDS])])
async def test_who_stops_reading_lets_another_read(mine: bool, leases: list[float]) -> None:
    accounts = Accounts(mine=mine)
    reading = asyncio.create_task(reader(accounts, Activity()).run())
    await asyncio.sleep(0)

    reading.cancel()
    await asyncio.wait({reading})

    assert reading.cancelled()
    assert accounts.leases == leases


async def test_while_nothing_is_due_novu_is_not_asked() -> None:
    activity = Activity()

    seconds = await reader(Accounts(next_look_in_seconds=3.0), activity).look()

    assert (activity.asked, seconds) == ([], 3.0)
    assert await reader(Accounts(), activity).look() == IDLE_SECONDS


async def test_novu_is_left_alone_for_as_long_as_it_asks_for() -> None:
    accounts = Accounts(look())

    seconds = await reader(accounts, Activity(error=ActivityUnavailable("429", retry_after_seconds=17.0))).look()

    assert (seconds, accounts.looked) == (17.0, [])


async def test_a_database_that_does_not_answer_is_asked_again_later(caplog: pytest.LogCaptureFixture) -> None:
    class Away(Accounts):
        async def take(self, reader: str, enterprise_ids: Collection[str], *, limit: int, **_: Any) -> TakenLooks:
            raise StoreUnavailable("away")

    part = reader(Away(), Activity())

    assert [await part.look(), await part.look()] == [IDLE_SECONDS, IDLE_SECONDS]
    assert [record.message for record in caplog.records] == ["delivery_not_read"]


@pytest.mark.parametrize(("age", "again"), [(6, 10), (120, 20), (3600, 100), (7200, 100), (8000, 600)])
def test_what_is_young_is_looked_at_often(age: float, again: float) -> None:
    assert again_after_seconds(age) == again


async def test_of_a_second_try_its_own_events_are_asked_for_and_all_of_them_are_awaited() -> None:
    again = look(persons=300, second_try=2, try_chunks=2, try_entries=2)
    first, second = ({**entry(), "transactionId": f"xnovu.acme.1.{chunk}.2"} for chunk in (0, 1))
    half, whole = Accounts(again), Accounts(again)

    await reader(half, Activity(entry(), first, first)).look()
    await reader(whole, Activity(entry(), first, second)).look()

    assert [(it.through, it.second_try) for it in half.looked + whole.looked] == [(False, 2), (True, 2)]
    assert [fact.transaction_id for fact in whole.facts] == ["xnovu.acme.1.0.2", "xnovu.acme.1.1.2"]


async def test_whoever_reads_begins_second_tries_and_looks_again_at_once() -> None:
    accounts, others = Accounts(), Accounts(mine=False)
    accounts.begun = (("acme", 3),)

    assert await reader(accounts, Activity()).look() == 0
    await reader(others, Activity()).look()

    assert (len(accounts.readers), others.readers) == (1, [])


async def test_a_key_with_which_novu_does_not_tell_keeps_nobody_else_s_from_being_told() -> None:
    accounts = Accounts(look(1, enterprise_id="acme"), look(2, enterprise_id="globex"))
    away, answers = Activity(error=ActivityUnavailable("HTTP 401")), Activity(entry(2))
    subject = DeliveryReader(
        accounts,
        {"acme": away, "globex": answers}.__getitem__,
        requests_per_second=1e6,
        retention_seconds=3600,
        follows_reading=False,
    )

    seconds = await subject.look()

    assert accounts.looked == [LookedAt(2, True, None)], "the other is looked at again when its lease is over"
    assert len(away.asked) == len(answers.asked) == 1
    assert seconds == 0
    accounts.taken = TakenLooks(True, (look(1, enterprise_id="acme"),))
    assert await subject.look() > 0, "nobody tells"
