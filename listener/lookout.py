"""Looks at what Realtime does not tell: rules that no scheduler has read, and what keeps changes from coming."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from shared.ports import FeedFlaw, FeedWay, NotificationStore, StoreUnavailable

log = logging.getLogger("EnhancedSubscriptionManager")

LOOK_SECONDS = 10.0
BREATH_SECONDS = 0.5
"""Between two looks, however many ask for one."""
RETRY_SECONDS = 2.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Lookout:
    """One look for all enterprises every interval, and soon after a gap: one call, however many rules there are."""

    def __init__(
        self,
        store: NotificationStore,
        enterprise_ids: Collection[str],
        *,
        way: Callable[[], FeedWay],
        interval_seconds: float,
        on_unread_rules: Callable[[str], None],
        on_flaws: Callable[[], None],
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """`enterprise_ids` are those of the moment, `way` is how the feed hears now. `on_unread_rules` hears at each
        look of each enterprise whose scheduler has not read its rules since they changed; `on_flaws` when changes
        begin to be kept from the listener, and when they no longer are: those just before are missing, too.
        """
        self._store = store
        self._enterprise_ids = enterprise_ids
        self._way = way
        self._interval_seconds = interval_seconds
        self._on_unread_rules = on_unread_rules
        self._on_flaws = on_flaws
        self._clock = clock
        self._soon = asyncio.Event()
        self._unread_since: dict[str, datetime] = {}
        self._flaws: tuple[FeedFlaw, ...] = ()

    @property
    def unread_rules(self) -> Mapping[str, datetime]:
        """By enterprise, since when its scheduler was told in vain that rules have changed."""
        return dict(self._unread_since)

    @property
    def flaws(self) -> tuple[FeedFlaw, ...]:
        """What keeps changes from the listener, as of the latest look."""
        return self._flaws

    def look_soon(self) -> None:
        """Changes may have been missed."""
        self._soon.set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except StoreUnavailable:  # health tells of the database
                await asyncio.sleep(min(RETRY_SECONDS, self._interval_seconds))
                continue
            await asyncio.sleep(min(BREATH_SECONDS, self._interval_seconds))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await self._soon.wait()

    async def look(self) -> None:
        """Look once. Raises StoreUnavailable."""
        self._soon.clear()
        seen = await self._store.look_out(self._enterprise_ids, self._way())
        now = self._clock()
        # Old marks are news to a listener that has just been started: what counts is since when it tells in vain.
        self._unread_since = {
            enterprise_id: max(self._unread_since.get(enterprise_id, now), now - timedelta(seconds=age_seconds))
            for enterprise_id, age_seconds in seen.unread_rules.items()
        }
        for enterprise_id in self._unread_since:
            self._on_unread_rules(enterprise_id)
        self._note(seen.flaws)

    def _note(self, flaws: tuple[FeedFlaw, ...]) -> None:
        if flaws == self._flaws:
            return
        for flaw in flaws:
            if flaw not in self._flaws:
                log.error("changes_kept_from_us", extra={"reason": flaw.what, "hint": flaw.mend})
        begin_or_end = bool(flaws) is not bool(self._flaws)
        self._flaws = flaws
        if begin_or_end:
            self._on_flaws()
