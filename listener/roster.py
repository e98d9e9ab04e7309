"""Who is served by this listener, now: enterprises come and go while it runs."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Set
from contextlib import suppress
from weakref import WeakMethod, ref

from shared.ports import EnterpriseStore, StoreUnavailable
from shared.shards import SHARDS, shard_of, shards_of, shared_scheduler

log = logging.getLogger("EnhancedSubscriptionManager")

LOOK_SECONDS = 20.0
BREATH_SECONDS = 0.25
"""Between two looks, however many have been heard of."""
RETRY_SECONDS = 2.0
STRANGERS_REMEMBERED = 10_000

Follower = Callable[[frozenset[str], frozenset[str]], None]


class Roster(Set[str]):
    """A live set: whoever holds it sees who has come and gone. One thing for a list of settings, of which some may not
    be served for a while, and for everybody that the database knows.
    """

    def __init__(self, listed: Collection[str] | None, *, shards: Collection[int] | None = None) -> None:
        """`listed` None: everybody, as soon as `run` has asked who that is. `shards`: of those only who is in them."""
        self.listed = None if listed is None else tuple(listed)
        own = frozenset(range(SHARDS) if listed is None else shards_of(listed))
        self.shards = own if shards is None else own.intersection(shards)
        self._ids: frozenset[str] = frozenset()
        self._followers: list[WeakMethod[Follower]] = []
        self._parts: list[ref[Roster]] = []
        self._look = asyncio.Event()
        self._asked: set[str] = set()
        self._whole = self
        self._become(listed or ())

    @classmethod
    def of(cls, enterprises: "Collection[str] | Roster") -> "Roster":
        """These enterprises, if it is not a roster already."""
        return enterprises if isinstance(enterprises, Roster) else cls(enterprises)

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        """What is reckoned from a roster is not alive."""
        return frozenset(it)

    def __contains__(self, enterprise_id: object) -> bool:
        return enterprise_id in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def schedulers(self) -> tuple[str, ...]:
        """For whom schedulers run: each enterprise of a list has its own, everybody else shares that of his shard."""
        if self.listed is None:
            return tuple(shared_scheduler(shard) for shard in sorted(self.shards))
        return tuple(each for each in self.listed if shard_of(each) in self.shards)

    def scheduler_of(self, enterprise_id: str) -> str:
        """For whom the enterprise's schedulers run."""
        return enterprise_id if self.listed is not None else shared_scheduler(shard_of(enterprise_id))

    def within(self, shards: Collection[int]) -> "Roster":
        """Those in these shards; as alive as this one."""
        part = Roster(self.listed, shards=self.shards.intersection(shards))
        part._whole = self._whole
        part._become(self._ids)
        self._parts.append(ref(part))
        return part

    def follow(self, follower: Follower) -> None:
        """Call this bound method with those who have come and those who have gone, for as long as its object lives."""
        self._followers.append(WeakMethod(follower))

    def heard_of(self, enterprise_ids: Collection[str], *, changed: bool) -> None:
        """Ask soon who is served: because of these, unless that was done before, or because something has `changed`."""
        whole = self._whole
        new = set() if whole.listed is not None else set(enterprise_ids) - whole._asked
        if len(whole._asked) > STRANGERS_REMEMBERED:
            whole._asked.clear()
        whole._asked |= new
        if new or changed:
            whole._look.set()

    async def run(self, store: EnterpriseStore, *, interval_seconds: float = LOOK_SECONDS) -> None:
        """Ask for ever: every interval, and soon after somebody was heard of."""
        seen: str | None = None
        while True:
            self._look.clear()
            try:
                served = await store.served(self.listed, seen)
            except StoreUnavailable:  # health tells of the database; who was served is served
                await asyncio.sleep(min(RETRY_SECONDS, interval_seconds))
                continue
            if served is not None:
                seen = served.digest
                self._become(served.enterprise_ids)
                log.info("enterprises_served", extra={"enterprises": len(self)})
            await asyncio.sleep(min(BREATH_SECONDS, interval_seconds))
            with suppress(TimeoutError):
                async with asyncio.timeout(interval_seconds):
                    await self._look.wait()

    def _become(self, enterprise_ids: Iterable[str]) -> None:
        ids = frozenset(each for each in enterprise_ids if shard_of(each) in self.shards)
        come, gone, self._ids = ids - self._ids, self._ids - ids, ids
        parts = [(reference, reference()) for reference in self._parts]
        self._parts = [reference for reference, part in parts if part is not None]
        for _, part in parts:
            if part is not None:
                part._become(ids)
        if come or gone:
            self._tell(come, gone)

    def _tell(self, come: frozenset[str], gone: frozenset[str]) -> None:
        for reference in tuple(self._followers):
            follower = reference()
            if follower is None:
                self._followers.remove(reference)
            else:
                follower(come, gone)
