"""Finds what nobody rang for: due rows, retracted rows, a row due earlier than known. Feeds it to the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Set
from datetime import datetime

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from listener.batcher import Batcher
from listener.counters import ListenerCounters
from listener.handed_over import HandedOver
from listener.workflows import Work
from shared.notification.priority import NORMAL
from shared.ports import DueNotifications, NotificationStore, StoreUnavailable
from shared.supervision import Supervisor

log = logging.getLogger("EnhancedSubscriptionManager")

PAGE_SIZE = 1000

STUMBLED_AGAIN_SECONDS = 1.0
"""After which an enterprise is swept again over which a sweep has stumbled."""


class Sweeper:
    """One sweep at a time: of all enterprises every interval, and of those asked for in between.

    Rows are found by their state, never by a time: those that commit late or fall due later are found too.
    """

    def __init__(
        self,
        store: NotificationStore,
        batchers: Mapping[Work, Batcher],
        enterprise_ids: Collection[str],
        handed_over: HandedOver,
        counters: ListenerCounters,
        *,
        interval_seconds: float,
        on_earliest_scheduled: Callable[[str, datetime], None],
        wait_until_useful: Callable[[], Awaitable[None]],
        first_backoff_seconds: float = 0.5,
        page_size: int = PAGE_SIZE,
    ) -> None:
        """`enterprise_ids` are those of the moment. `handed_over` remembers the rows being processed;
        `on_earliest_scheduled` hears when each enterprise's next scheduled row is due; `wait_until_useful` holds a
        sweep back while what it finds could not be handed over.
        """
        self._store = store
        self._batcher = batchers[Work.PROCESSING]
        self._retraction_batcher = batchers[Work.RETRACTION]
        self._enterprise_ids = enterprise_ids if isinstance(enterprise_ids, Set) else frozenset(enterprise_ids)
        self._handed_over = handed_over
        self._counters = counters
        self._interval_seconds = interval_seconds
        self._on_earliest_scheduled = on_earliest_scheduled
        self._wait_until_useful = wait_until_useful
        self._page_size = page_size
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailable),
            wait=wait_random_exponential(multiplier=first_backoff_seconds, max=10.0),
            before_sleep=self._note_delay,
        )
        self._requested = asyncio.Event()
        self._wanted: set[str] = set()
        self._gaps_wanted: set[str] = set()
        self._gaps_in_sweep: set[str] = set()

    @property
    def catching_up(self) -> frozenset[str]:
        """Enterprises whose last gap in the feed is not swept yet."""
        return frozenset(self._gaps_wanted | self._gaps_in_sweep)

    def request(self, enterprise_ids: Iterable[str]) -> None:
        """Sweep these soon; requests made until then are one sweep."""
        self._wanted.update(enterprise_ids)
        if self._wanted:
            self._requested.set()

    def request_all(self) -> None:
        """Sweep every enterprise soon."""
        self.request(self._enterprise_ids)

    def catch_up(self, enterprise_ids: Iterable[str]) -> None:
        """Sweep these soon: changes of theirs may have been missed."""
        self._gaps_wanted.update(enterprise_ids)
        self.request(self._gaps_wanted)

    def start_afresh(self) -> None:
        """To be called before `run` is called again after a fault: what its sweep had not reached is still wanted."""
        self.catch_up(self._gaps_in_sweep)
        self._gaps_in_sweep = set()
        self.request_all()

    async def run(self, parts: Supervisor) -> None:
        """Sweep for ever. `parts` is told of what one enterprise's share of a sweep has met; it is swept again soon."""
        loop = asyncio.get_running_loop()
        all_due_at = loop.time() + self._interval_seconds
        while True:
            try:
                async with asyncio.timeout_at(all_due_at):
                    await self._requested.wait()
            except TimeoutError:
                self.request_all()
            await self._wait_until_useful()
            wanted, self._wanted = {each for each in self._wanted if each in self._enterprise_ids}, set()
            self._gaps_in_sweep, self._gaps_wanted = self._gaps_wanted, set()
            self._requested.clear()
            stumbled = await self._sweep(wanted, parts)
            self._gaps_in_sweep = set()
            if stumbled:
                self._gaps_wanted |= stumbled
                loop.call_later(STUMBLED_AGAIN_SECONDS, self.request, stumbled)
            if wanted >= self._enterprise_ids:
                all_due_at = loop.time() + self._interval_seconds

    async def _sweep(self, enterprise_ids: set[str], parts: Supervisor) -> set[str]:
        """Enterprises proceed side by side, each as it has room; returns those over whose share the
        sweep stumbled, which are not swept.
        """
        self._counters.sweeps += 1
        first_pages = await self._list_due(enterprise_ids, after_id=0)
        stumbled: set[str] = set()

        async def keep_to_itself(page: DueNotifications, feed: Callable[[DueNotifications], Awaitable[None]]) -> None:
            try:
                await feed(page)
            except Exception as error:  # noqa: BLE001 - of one enterprise, and no other's; told of
                stumbled.add(page.enterprise_id)
                parts.note("sweeper", error)

        async with asyncio.TaskGroup() as enterprises:
            for page in first_pages:
                for feed in (self._feed_schedule, self._feed_retractions, self._feed):
                    enterprises.create_task(keep_to_itself(page, feed))
        for enterprise_id in enterprise_ids - stumbled:
            self._counters.enterprises[enterprise_id].note_sweep()
        return stumbled

    async def _feed_schedule(self, page: DueNotifications) -> None:
        if page.next_scheduled_at is not None:
            self._on_earliest_scheduled(page.enterprise_id, page.next_scheduled_at)

    async def _feed_retractions(self, page: DueNotifications) -> None:
        for notification_id in page.uncancelled:
            taken = await self._retraction_batcher.add(page.enterprise_id, notification_id)
            self._counters.recovered_retractions += taken
            self._counters.enterprises[page.enterprise_id].recovered_by_sweep += taken

    async def _feed(self, page: DueNotifications) -> None:
        await self._feed_urgent(page)
        while True:
            is_held_up = await self._feed_page(page)
            if not page.has_more or is_held_up or self._handed_over.is_full:
                return
            following = await self._list_due({page.enterprise_id}, after_id=page.notification_ids[-1] or -1)
            if not following:
                return
            page = following[0]

    async def _feed_urgent(self, page: DueNotifications) -> None:
        """The urgent rows of the whole backlog, before any other; in their pages they count as handed over."""
        taken = 0
        for notification_id, priority in page.urgent:
            if self._batcher.is_held_up(page.enterprise_id, priority):
                break
            taken += await self._batcher.add(page.enterprise_id, notification_id, priority)
        self._counters.recovered_pending += taken
        self._counters.enterprises[page.enterprise_id].recovered_by_sweep += taken

    async def _feed_page(self, page: DueNotifications) -> bool:
        """Whether rows were left out, for which a later sweep comes when the floods that they are of go on."""
        taken, is_held_up = 0, False
        for notification_id in page.notification_ids:
            priority = page.priorities.get(notification_id, NORMAL)
            if self._batcher.is_held_up(page.enterprise_id, priority):
                is_held_up = True
                continue
            taken += await self._batcher.add(page.enterprise_id, notification_id, priority)
        expired = min(page.expired, taken)
        self._counters.swept += len(page.notification_ids)
        self._counters.recovered_expired += expired
        self._counters.recovered_pending += taken - expired
        self._counters.enterprises[page.enterprise_id].recovered_by_sweep += taken
        return is_held_up

    async def _list_due(self, enterprise_ids: set[str], *, after_id: int) -> list[DueNotifications]:
        async for attempt in self._retrying.copy():
            with attempt:
                return await self._store.list_due(enterprise_ids, page_size=self._page_size, after_id=after_id)
        raise AssertionError("unreachable: the retry never gives up")

    def _note_delay(self, state: RetryCallState) -> None:
        self._counters.sweeps_delayed_by_database += 1
        if state.attempt_number == 1 and state.outcome is not None:
            log.error("sweep_delayed", extra={"reason": str(state.outcome.exception())})
