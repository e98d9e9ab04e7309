"""Enterprises are rung for by shard: a listener hears as many shards as its enterprises are in, never one each."""

from collections.abc import Iterable
from hashlib import sha256

SHARDS = 16
"""As in the triggers that ring (infra/supabase/migrations, notify.ring_for_notifications)."""


def shard_of(enterprise_id: str) -> int:
    """The shard of an enterprise, as the database reckons it."""
    return sha256(enterprise_id.encode()).digest()[0] % SHARDS


def shards_of(enterprise_ids: Iterable[str]) -> tuple[int, ...]:
    """The shards that these enterprises are in, in order."""
    return tuple(sorted({shard_of(enterprise_id) for enterprise_id in enterprise_ids}))
