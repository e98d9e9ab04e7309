"""The change feed: polls the slot, turns what it holds into events, and makes a new slot when it is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain

import asyncpg

from stack.edge.realtime.change_requests import ANY
from stack.edge.realtime.change_slot import DATABASE_AWAY, ChangeSlot
from stack.edge.realtime.events import events_of
from stack.edge.realtime.hub import Hub
from stack.edge.realtime.parties import Event, Subscription
from stack.edge.realtime.pgoutput import change_count, decode

_log = logging.getLogger(__name__)
_ACTIONS = ("INSERT", "UPDATE", "DELETE")
# After decoding this many changes the slot's start moves up to now; otherwise each later poll would read them again
# until the server's next snapshot record, up to 15 s away.
_MANY_MESSAGES = 2_000


@dataclass(frozen=True)
class _Polled:
    """How much one poll found: row changes of the publication, and events for somebody."""

    message_count: int
    event_count: int


class ChangeFeed:
    """Runs while somebody wants changes. Clients get no sign of its losses: neither do the real server's."""

    def __init__(self, database_url: str, hub: Hub) -> None:
        self._database_url = database_url
        self._hub = hub
        self._settings = hub.settings
        self._slot: ChangeSlot | None = None
        self._failures_in_a_row = 0
        self._messages_since_move = 0
        self._published: list[int] | None = None
        self._last_due = 0.0
        self._delayed: set[asyncio.Task[None]] = set()
        self.has_slot = asyncio.Event()

    @property
    def backend_pid(self) -> int | None:
        """The process of the connection that holds the slot, if there is one."""
        return None if self._slot is None else self._slot.backend_pid

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._hub.changes_wanted.wait()
            await self._hub.disturbances.poller_is_back()
            try:
                await self._follow_slot()
            except DATABASE_AWAY as error:
                _log.warning("the change feed lost its connection, changes are lost until it is back: %r", error)
            except asyncpg.PostgresError as error:
                _log.warning("the change feed has no replication slot: %s", error)
            else:
                continue
            self._failures_in_a_row += 1
            await asyncio.sleep(random.uniform(self._settings.retry_min_seconds, self._settings.retry_max_seconds))

    async def _follow_slot(self) -> None:
        """Create a slot and poll it, until nobody has wanted changes for long. Raises when it is lost."""
        try:
            self._slot = await ChangeSlot.create(self._database_url, self._settings.query_timeout_seconds)
            self._hub.counts.slots_created += 1
            self.has_slot.set()
            self._resubscribe_after_long_absence()
            await self._poll_while_wanted(self._slot)
        finally:
            self.has_slot.clear()
            if self._slot is not None:
                self._slot.drop()
                self._slot = None

    def _resubscribe_after_long_absence(self) -> None:
        """After so many failures the real server's workers have stopped, and its channels subscribe anew."""
        if self._failures_in_a_row >= self._settings.retries_before_resubscribing:
            self._resubscribe()
        self._failures_in_a_row = 0

    def _resubscribe(self) -> None:
        for channel in self._hub.channels():
            channel.resubscribe()

    async def _poll_while_wanted(self, slot: ChangeSlot) -> None:
        clock = asyncio.get_running_loop().time
        last_wanted = last_refreshed = clock()
        self._published = await slot.published_tables()
        while True:
            now = clock()
            if self._hub.disturbances.poller_is_gone():
                return
            if self._hub.changes_wanted.is_set():
                last_wanted = now
            elif now - last_wanted >= self._settings.idle_slot_seconds:
                return
            if now - last_refreshed >= self._settings.publication_refresh_seconds:
                last_refreshed = now
                await self._refresh_publication(slot)
            polled = await self._poll(slot)
            if polled.event_count:
                continue
            interval_ms = (
                self._settings.poll_interval_ms if polled.message_count else self._settings.idle_poll_interval_ms
            )
            await asyncio.sleep(interval_ms / 1000)

    async def _refresh_publication(self, slot: ChangeSlot) -> None:
        published = await slot.published_tables()
        if published != self._published:
            self._published = published
            self._resubscribe()

    async def _poll(self, slot: ChangeSlot) -> _Polled:
        messages = await slot.poll(self._settings.poll_max_changes)
        self._hub.counts.polls += 1
        if not messages:
            return _Polled(0, 0)
        await self._evaluate(change_count(messages))
        try:
            events = await self._events(slot, messages)
        except DATABASE_AWAY:
            raise
        except asyncpg.PostgresError as error:
            # One subscription that fails at run time costs every subscriber the whole poll, as in the real server.
            _log.warning("a poll's changes are lost, a subscription cannot be evaluated: %s", error)
            return _Polled(len(messages), 0)
        self._deliver(events)
        self._messages_since_move += len(messages)
        if self._messages_since_move >= _MANY_MESSAGES:
            self._messages_since_move = 0
            await slot.move_up()
        return _Polled(len(messages), len(events))

    async def _evaluate(self, changes: int) -> None:
        """Take the time that the real server's query does. Raises TimeoutError where it would be cut off for it."""
        seconds = changes * self._settings.change_work_ms / 1000
        if not seconds:
            return
        async with asyncio.timeout(self._settings.query_timeout_seconds):
            await asyncio.sleep(seconds)

    async def _events(self, slot: ChangeSlot, messages: list[bytes]) -> list[Event]:
        """The events of what was polled, in commit order."""
        of_table: dict[int, list[Subscription]] = defaultdict(list)
        for subscription in self._hub.subscriptions():
            for table in subscription.tables:
                of_table[table].append(subscription)
        wanted = frozenset(
            (table, action)
            for table, interested in of_table.items()
            for action in _ACTIONS
            if any(subscription.request.action in (ANY, action) for subscription in interested)
        )
        changes = list(decode(messages, wanted, slot.relations))
        events: list[list[Event]] = [[] for _ in changes]
        for table in {change.relation.oid: None for change in changes}:
            numbers = [number for number, change in enumerate(changes) if change.relation.oid == table]
            of_changes = await events_of(
                slot.connection,
                [changes[number] for number in numbers],
                of_table[table],
                self._settings.max_record_bytes,
            )
            for number, of_change in zip(numbers, of_changes, strict=True):
                events[number] = of_change
        return list(chain.from_iterable(events))

    def _deliver(self, events: list[Event]) -> None:
        loop = asyncio.get_running_loop()
        # Never before events that were delayed earlier: order is kept.
        due = max(loop.time() + self._hub.disturbances.event_delay_seconds(), self._last_due)
        if not events or due <= loop.time():
            self._hub.deliver(events)
            return
        self._last_due = due
        task = asyncio.create_task(self._deliver_later(events, due))
        self._delayed.add(task)
        task.add_done_callback(self._delayed.discard)

    async def _deliver_later(self, events: list[Event], due: float) -> None:
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        self._hub.deliver(events)
