"""Enterprises are rung for by shard: a listener hears as many shards as its enterprises are in, never one each."""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

SHARDS = 16
"""As in the triggers that ring (infra/supabase/migrations, notify.ring_for_notifications)."""


@lru_cache(maxsize=32_768)
def shard_of(enterprise_id: str) -> int:
    """The shard of an enterprise, as the database reckons it."""
    return sha256(enterprise_id.encode()).digest()[0] % SHARDS


def shards_of(enterprise_ids: Iterable[str]) -> tuple[int, ...]:
    """The shards that these enterprises are in, in order."""
    return tuple(sorted({shard_of(enterprise_id) for enterprise_id in enterprise_ids}))


def shared_scheduler(shard: int) -> str:
    """For whom the schedulers run that all enterprises of a shard share: no enterprise's id.

    >>> shared_scheduler(7)
    '//7'
    """
    return f"//{shard}"


def shard_of_scheduler(served: str) -> int | None:
    """The shard whose enterprises share a scheduler that runs for this; None if it is one enterprise's."""
    return int(served[2:]) if served.startswith("//") else None
