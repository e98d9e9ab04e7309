"""Asks Novu's activity what became of notifications, within a rate, until everything is known or Novu has forgotten.

One worker of a deployment does so at a time. Where webhooks tell, it asks only for what they left out.
"""

import asyncio
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from shared.notification.delivery import DeliveryFact, MessageOutcome
from shared.notification.models import Channel
from shared.notification.transaction_id import second_try_ids, transaction_ids
from shared.novu.delivery_facts import read_message, read_notification
from shared.ports import (
    ActivityPage,
    ActivityUnavailable,
    AnswerTooLarge,
    DeliveryAccounts,
    DeliveryLook,
    LookedAt,
    NotificationActivity,
    StoreUnavailable,
    TakenLooks,
)

log = logging.getLogger("DeliveryReader")

LOOKS_AT_ONCE = 200
SECOND_TRIES_AT_ONCE = 100
PERSONS_PER_REQUEST = 50
"""Novu answers with one entry for each, 50 on a page."""
PERSONS_PER_TRANSACTION = 100
TRANSACTIONS_PER_REQUEST = 25
"""A transaction id may have a hundred characters, and an address only some thousand."""
FACTS_PER_RECORD = 500
LEASE_SECONDS = 60.0
LETTING_GO_SECONDS = 2.0
IDLE_SECONDS = 10.0
"""Between looks at the table while nothing is due."""
SOONEST_AGAIN_SECONDS, LATEST_AGAIN_SECONDS = 10.0, 100.0
"""Between looks at one notification that is not settled: a sixth of its age, between these."""
OLD_SECONDS, OLD_AGAIN_SECONDS = 2 * 3600.0, 600.0
READING_AGAIN_SECONDS, READING_LATEST_SECONDS = 300.0, 3600.0
"""Between looks at who has read a message in the app."""


_Read = Callable[[Sequence[str], int, int], Awaitable[ActivityPage]]


@dataclass(slots=True)
class _Seen:
    """What a pass has learned of one notification: who has an entry of which event, and whether all steps are over."""

    entries: set[tuple[str, str]] = field(default_factory=set)
    settled: bool = True
    in_app: bool = False


class DeliveryReader:
    """A part of the worker: `run` works until it is cancelled."""

    def __init__(
        self,
        accounts: DeliveryAccounts,
        activity: Callable[[str], NotificationActivity],
        *,
        enterprise_ids: Collection[str] = (),
        requests_per_second: float,
        retention_seconds: float,
        follows_reading: bool,
    ) -> None:
        """`activity`: where an enterprise's notifications are asked about. Of no `enterprise_ids`: of all.
        `follows_reading`: nobody else tells who has read what.
        """
        self._accounts = accounts
        self._activity = activity
        self._enterprise_ids = enterprise_ids
        self._pause_seconds = 1 / requests_per_second
        self._retention_seconds = retention_seconds
        self._follows_reading = follows_reading
        self._name = secrets.token_hex(8)
        self._next_request_at = 0.0
        self._taken_at = 0.0
        self._answers = True
        self._is_mine = False

    async def run(self) -> None:
        """Look until cancelled; then another may, at once."""
        try:
            while True:
                seconds = await self.look()
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await self._let_go()
            raise

    async def look(self) -> float:
        """One pass over what is due; how many seconds to wait until the next."""
        try:
            taken = await self._take(LOOKS_AT_ONCE)
            if not taken.mine:
                return LEASE_SECONDS / 2
            begun = await self._accounts.begin_second_tries(
                self._name, self._enterprise_ids, limit=SECOND_TRIES_AT_ONCE
            )
            for enterprise_id, count in begun:
                log.info("second_tries_begun", extra={"enterprise_id": enterprise_id, "notifications": count})
            await self._look_at(taken.looks)
        except StoreUnavailable as error:
            return self._failed(error, IDLE_SECONDS)
        except ActivityUnavailable as error:
            return self._failed(error, error.retry_after_seconds or IDLE_SECONDS)
        self._answers = True
        if taken.looks or taken.closed or begun:
            return 0.0
        return min(IDLE_SECONDS, max(0.1, taken.next_look_in_seconds or IDLE_SECONDS))

    def _failed(self, error: Exception, seconds: float) -> float:
        """Told of once until it works again: what was not looked at is due again when its lease ends."""
        if self._answers:
            log.warning("delivery_not_read", extra={"reason": str(error)})
        self._answers = False
        return seconds

    async def _look_at(self, looks: Sequence[DeliveryLook]) -> None:
        open_looks = [look for look in looks if not look.complete]
        reading = [look for look in looks if look.complete and self._follows_reading]
        counted = [look for look in looks if look.complete and not self._follows_reading]
        if counted:
            await self._accounts.record([], [_looked_at(look, True, None) for look in counted])
        faults = [
            await self._look_at_those_of(activity, of_open, of_reading)
            for activity, of_open, of_reading in self._by_activity(open_looks, reading)
        ]
        if faults and (fault := faults[0]) and None not in faults:
            raise fault

    def _by_activity(
        self, open_looks: Sequence[DeliveryLook], reading: Sequence[DeliveryLook]
    ) -> Iterator[tuple[NotificationActivity, Sequence[DeliveryLook], Sequence[DeliveryLook]]]:
        """What is asked where; each place once."""
        places = {id(place): place for place in map(self._place, (*open_looks, *reading))}
        for place in places.values():
            yield (
                place,
                [look for look in open_looks if self._place(look) is place],
                [look for look in reading if self._place(look) is place],
            )

    def _place(self, look: DeliveryLook) -> NotificationActivity:
        return self._activity(look.enterprise_id)

    async def _look_at_those_of(
        self, activity: NotificationActivity, open_looks: Sequence[DeliveryLook], reading: Sequence[DeliveryLook]
    ) -> ActivityUnavailable | None:
        """Ask one place. Why it does not answer: others are asked all the same."""
        for ask, chosen in ((self._ask_what_became_of, open_looks), (self._ask_who_read, reading)):
            for request in _requests(chosen):
                try:
                    await ask(activity, request)
                except AnswerTooLarge as error:  # for these alone; the others go on
                    self._failed(error, 0)
                    left = {look.notification_id: look for look in request.values()}.values()
                    await self._accounts.record([], [_looked_at(look, False, OLD_AGAIN_SECONDS) for look in left])
                except ActivityUnavailable as error:
                    self._failed(error, 0)
                    return error
        return None

    async def _ask_what_became_of(self, activity: NotificationActivity, request: Mapping[str, DeliveryLook]) -> None:
        facts: list[DeliveryFact] = []
        seen: defaultdict[int, _Seen] = defaultdict(_Seen)
        async for entry in self._entries(activity.notifications, list(request)):
            told = read_notification(entry)
            if told is None or told.transaction_id not in request:
                continue
            of = seen[request[told.transaction_id].notification_id]
            of.entries.add((told.transaction_id, told.subscriber_id))
            of.settled = of.settled and told.settled
            of.in_app = of.in_app or any(
                it.channel is Channel.IN_APP and it.outcome is MessageOutcome.SENT for it in told.facts
            )
            facts.extend(told.facts)
            if len(facts) >= FACTS_PER_RECORD:
                await self._accounts.record(facts)
                facts = []
        looks = {look.notification_id: look for look in request.values()}
        await self._accounts.record(facts, [self._judge(look, seen[look.notification_id]) for look in looks.values()])

    def _judge(self, look: DeliveryLook, seen: _Seen) -> LookedAt:
        through = seen.settled and len(seen.entries) >= (look.try_entries if look.second_try else look.persons)
        if not through:
            return _looked_at(look, False, again_after_seconds(look.age_seconds))
        follows = self._follows_reading and (seen.in_app or look.unread)
        return _looked_at(look, True, READING_AGAIN_SECONDS if follows else None)

    async def _ask_who_read(self, activity: NotificationActivity, request: Mapping[str, DeliveryLook]) -> None:
        facts = []
        async for entry in self._entries(activity.messages, list(request)):
            fact = read_message(entry)
            if fact is not None and fact.transaction_id in request and (fact.seen or fact.read):
                facts.append(fact)
        looks = {look.notification_id: look for look in request.values()}.values()
        await self._accounts.record(facts, [_looked_at(look, True, _read_again_after(look)) for look in looks])

    async def _entries(self, read: _Read, transaction_ids: Sequence[str]) -> AsyncIterator[Mapping[str, Any]]:
        for first in range(0, len(transaction_ids), TRANSACTIONS_PER_REQUEST):
            async for entry in self._pages(read, transaction_ids[first : first + TRANSACTIONS_PER_REQUEST]):
                yield entry

    async def _pages(self, read: _Read, transaction_ids: Sequence[str]) -> AsyncIterator[Mapping[str, Any]]:
        """Every entry; after a page that is too large in smaller ones, from the first again."""
        page, limit = 0, PERSONS_PER_REQUEST
        while True:
            await self._keep_reading()
            await self._keep_the_rate()
            try:
                answer = await read(transaction_ids, page, limit)
            except AnswerTooLarge:
                if limit == 1:
                    raise
                page, limit = 0, max(1, limit // 4)
                continue
            for entry in answer.entries:
                yield entry
            if not answer.has_more:
                return
            page += 1

    async def _keep_reading(self) -> None:
        """A notification for very many people takes longer than others wait for a reader that is gone."""
        if time.monotonic() - self._taken_at > LEASE_SECONDS / 3:
            await self._take(0)

    async def _take(self, limit: int, *, lease_seconds: float = LEASE_SECONDS) -> TakenLooks:
        self._taken_at = time.monotonic()
        taken = await self._accounts.take(
            self._name,
            self._enterprise_ids,
            limit=limit,
            retention_seconds=self._retention_seconds,
            lease_seconds=lease_seconds,
        )
        self._is_mine = taken.mine
        return taken

    async def _let_go(self) -> None:
        """Or another would wait for the lease to end, as it does where this cannot be told."""
        if self._is_mine:
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(LETTING_GO_SECONDS):
                    await self._take(0, lease_seconds=0)

    async def _keep_the_rate(self) -> None:
        now = time.monotonic()
        at = max(now, self._next_request_at)
        self._next_request_at = at + self._pause_seconds
        await asyncio.sleep(at - now)


def again_after_seconds(age_seconds: float) -> float:
    """When to look again at a notification that was not settled at this age."""
    if age_seconds > OLD_SECONDS:
        return OLD_AGAIN_SECONDS
    return min(LATEST_AGAIN_SECONDS, max(SOONEST_AGAIN_SECONDS, age_seconds / 6))


def _requests(looks: Sequence[DeliveryLook]) -> Iterator[dict[str, DeliveryLook]]:
    """Transaction ids to ask for together, with the notification of each. Those of one notification stay together, so
    that it can be said whether it is settled.
    """
    request: dict[str, DeliveryLook] = {}
    persons = 0
    for look in looks:
        entries = look.persons
        ids = transaction_ids(look.transaction_id, -(-look.persons // PERSONS_PER_TRANSACTION))
        if look.second_try:
            again = second_try_ids(look.transaction_id, look.try_chunks, look.second_try)
            # Who reads may read what came at first.
            ids, entries = ([*ids, *again], entries + look.try_entries) if look.complete else (again, look.try_entries)
        if request and persons + entries > PERSONS_PER_REQUEST:
            yield request
            request, persons = {}, 0
        request |= dict.fromkeys(ids, look)
        persons += entries
    if request:
        yield request


def _looked_at(look: DeliveryLook, through: bool, again_after: float | None) -> LookedAt:
    return LookedAt(look.notification_id, through, again_after, look.second_try)


def _read_again_after(look: DeliveryLook) -> float | None:
    if not look.unread:
        return None
    return min(READING_LATEST_SECONDS, max(READING_AGAIN_SECONDS, look.age_seconds / 4))
