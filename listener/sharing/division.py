"""Who hears which shard: the same answer for everybody who knows the same listeners."""

from collections.abc import Collection
from hashlib import sha256


def divide(shards: Collection[int], listener_ids: Collection[str]) -> dict[str, frozenset[int]]:
    """Every shard once, to nobody more than his share rounded up; few change hands when a listener comes or goes."""
    room = -(-len(shards) // len(listener_ids))
    shares: dict[str, set[int]] = {listener_id: set() for listener_id in listener_ids}
    for shard in sorted(shards):
        wanting = (listener_id for listener_id, share in shares.items() if len(share) < room)
        shares[max(wanting, key=lambda listener_id: _liking(shard, listener_id))].add(shard)
    return {listener_id: frozenset(share) for listener_id, share in shares.items()}


def _liking(shard: int, listener_id: str) -> bytes:
    return sha256(f"{shard}/{listener_id}".encode()).digest()
