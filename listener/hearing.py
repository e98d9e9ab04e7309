"""Which way the doorbell is heard: the one place that knows both."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Literal

from listener.broadcast.way import Broadcast
from listener.doorbell.ear import Ear
from listener.doorbell.either import Either
from listener.doorbell.feed import DoorbellFeed
from listener.doorbell.outbox import Outbox
from listener.doorbell.timing import FeedTiming
from listener.doorbell.way import Way
from listener.postgres_changes.way import PostgresChanges
from listener.roster import Roster
from shared.ports import FeedWay, NotificationStore, StoreUnavailable
from shared.supervision import Supervisor

FeedChoice = Literal["auto", "broadcast", "postgres_changes"]

WAYS: dict[FeedWay, Way] = {FeedWay.BROADCAST: Broadcast(), FeedWay.POSTGRES_CHANGES: PostgresChanges()}


def feed_for(
    choice: FeedChoice,
    supabase_url: str,
    key: Callable[[], str],
    enterprise_ids: Collection[str],
    store: NotificationStore,
    *,
    max_retries: int,
    timing: FeedTiming,
    parts: Supervisor | None = None,
) -> DoorbellFeed:
    """The feed of the chosen way; `auto` is broadcast where the project has it and it works, otherwise the other."""
    parts = parts or Supervisor()
    enterprises = Roster.of(enterprise_ids)
    outbox = Outbox()

    def ear(way: FeedWay, is_covered: Callable[[], bool] = lambda: False) -> Ear:
        return Ear(
            supabase_url,
            key,
            enterprises,
            store,
            WAYS[way],
            outbox,
            max_retries=max_retries,
            timing=timing,
            parts=parts,
            is_covered=is_covered,
        )

    if choice != "auto":
        return DoorbellFeed(ear(FeedWay(choice)), outbox, parts)
    either = Either(
        partial(ear, FeedWay.BROADCAST),
        partial(ear, FeedWay.POSTGRES_CHANGES),
        partial(has_broadcast, store),
        parts,
        timing=timing,
    )
    return DoorbellFeed(either, outbox, parts)


async def has_broadcast(store: NotificationStore) -> bool:
    """Whether the project can carry rings by broadcast; as long as nobody can say, it is taken for granted."""
    try:
        found = await store.look_out((), FeedWay.BROADCAST)
    except StoreUnavailable:
        return True
    return not found.flaws
