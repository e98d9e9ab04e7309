"""This process's share of the enterprises, as listeners come and go: nobody is unheard while shards change hands."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial

from listener.counters import ListenerCounters
from listener.listener import Listener
from listener.roster import Roster
from listener.sharing.division import divide
from listener.sharing.term import Term
from shared.ports import FeedFlaw, FeedState, FeedStatus, ShareStore, StoreUnavailable
from shared.shards import shard_of
from shared.supervision import Supervisor

log = logging.getLogger("EnhancedSubscriptionManager")

SHARE_SECONDS = 5.0
ALONE_SECONDS = 12.0
"""Between the rounds of one who knows of nobody else: nobody relies on him then."""
ALIVE_SECONDS = 15.0
"""Two words of a listener may be late or lost. With a round of sharing and a new listener's beginning this is less than
the 30 s within which others take over from one that died.
"""
LEAVE_WITHIN_SECONDS = 0.4


class Shares:
    """Hears all shards to begin with, gives up what is another's as soon as that one hears it, and takes what becomes
    its own. Two that hear the same shard for a while start the same workflows: that is harmless.

    While the database does not answer everything stays as it is.
    """

    def __init__(
        self,
        store: ShareStore,
        listener_id: str,
        enterprise_ids: Collection[str],
        make: Callable[[Roster], Listener],
        *,
        counters: ListenerCounters,
        parts: Supervisor,
    ) -> None:
        """`make` builds a listener for some of the enterprises; all of them count in `counters`."""
        self.counters = counters
        self._store = store
        self._listener_id = listener_id
        self._enterprises = Roster.of(enterprise_ids)
        self._all_shards = self._enterprises.shards
        self._make = make
        self._parts = parts
        self._current = self._term(self._all_shards)
        self._next: Term | None = None
        self._heard_by: Mapping[str, frozenset[int]] = {}
        self._former = FeedStatus()
        self._settled = asyncio.Event()

    @property
    def shards(self) -> frozenset[int]:
        """Those that it hears."""
        return self._current.shards

    @property
    def temporal_available(self) -> bool:
        """Whether Temporal answered the latest workflow start."""
        listener = self._current.listener
        return listener is None or listener.temporal_available

    @property
    def unread_rules(self) -> Mapping[str, datetime]:
        """By enterprise, since when its scheduler was told in vain that rules have changed."""
        listener = self._current.listener
        return listener.unread_rules if listener else {}

    @property
    def flaws(self) -> tuple[FeedFlaw, ...]:
        """What keeps changes from it, as of the latest look."""
        listener = self._current.listener
        return listener.flaws if listener else ()

    @property
    def feed_status(self) -> FeedStatus:
        """Of the present listener's feed, with the counts of its predecessors here."""
        listener = self._current.listener
        return (listener.feed_status if listener else FeedStatus()).after(self._former)

    def states(self) -> dict[str, FeedState]:
        """Those of the enterprises in its own shards; and of those that nobody hears, so that somebody tells."""
        heard = self._current.shards.union(*self._heard_by.values())
        unheard = dict.fromkeys(
            (each for each in self._enterprises if shard_of(each) not in heard), FeedState.RECONNECTING
        )
        listener = self._current.listener
        return unheard | (listener.states() if listener else {})

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then others are told, and what is held is handed over."""
        async with asyncio.TaskGroup() as terms:
            self._begin(self._current, terms)
            sharing = terms.create_task(self._parts.keep("shares", partial(self._share, terms)))
            await stop.wait()
            sharing.cancel()
            for term in (self._current, self._next):
                if term is not None:
                    term.stop.set()
            await asyncio.wait({sharing})  # or its last word could come after the good-bye
            await self._parts.attempt("shares", self._leave)

    def _begin(self, term: Term, terms: asyncio.TaskGroup) -> None:
        terms.create_task(term.run(self._parts, self._settled.set))

    async def _share(self, terms: asyncio.TaskGroup) -> None:
        """For ever, in rounds. A hand-over goes on beside them: a listener that is not seen is taken for dead."""
        while True:
            self._settled.clear()
            if self._next is not None and self._next.is_settled:
                self._hand_over(self._next)
            with suppress(StoreUnavailable):  # health tells of the database
                self._see_to(await self._agree(), terms)
            with suppress(TimeoutError):
                async with asyncio.timeout(SHARE_SECONDS if len(self._heard_by) > 1 else ALONE_SECONDS):
                    await self._settled.wait()

    async def _agree(self) -> frozenset[int]:
        """What to hear from now on: its share, and what nobody else hears yet. Raises StoreUnavailable."""
        keeps = self._current.shards & self._next.shards if self._next else self._current.shards
        hears = keeps if self._current.is_settled else frozenset()
        gives = hears - self._due() if self._next is None else frozenset()
        answer = await self._store.share(self._listener_id, hears, gives)
        self._heard_by = answer.listeners
        return (keeps - answer.given) | self._due()

    def _see_to(self, shards: frozenset[int], terms: asyncio.TaskGroup) -> None:
        """Open a term for these, unless one has them; one that is being opened may have more."""
        if self._next is None and shards == self._current.shards:
            return
        if self._next is not None:
            if shards <= self._next.shards:
                return
            self._next.stop.set()  # somebody has died meanwhile: what was his cannot wait
        log.info("shards_change", extra={"hears": sorted(shards)})
        self._next = self._term(shards)
        self._begin(self._next, terms)

    def _due(self) -> frozenset[int]:
        return divide(self._all_shards, {self._listener_id, *self._heard_by})[self._listener_id]

    def _hand_over(self, to: Term) -> None:
        former, self._current, self._next = self._current, to, None
        if former.listener is not None:
            self._former = former.listener.feed_status.after(self._former)
        former.stop.set()

    async def _leave(self) -> None:
        """What is not told in time is found out."""
        try:
            async with asyncio.timeout(LEAVE_WITHIN_SECONDS):
                await self._store.leave(self._listener_id)
        except (StoreUnavailable, TimeoutError):
            log.info("shares_not_left")

    def _term(self, shards: frozenset[int]) -> Term:
        return Term.of(shards, self._enterprises, self._make)
