"""The port ShareStore in memory."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from shared.ports import ShareOut, StoreUnavailable


@dataclass
class _Row:
    shards: frozenset[int]
    joined_at: float
    seen_at: float


class FakeShareStore:
    """As the database's functions, by the loop's clock."""

    def __init__(self, alive_seconds: float) -> None:
        self.alive_seconds = alive_seconds
        self.rows: dict[str, _Row] = {}
        self.is_away = False

    async def share(self, listener_id: str, hears: Collection[int], gives: Collection[int]) -> ShareOut:
        if self.is_away:
            raise StoreUnavailable("away")
        now = asyncio.get_running_loop().time()
        self.rows = {
            each: row
            for each, row in self.rows.items()
            if each == listener_id or row.seen_at >= now - self.alive_seconds
        }
        row = self.rows.setdefault(listener_id, _Row(frozenset(), now, now))
        row.seen_at = now
        others = [
            other.shards for each, other in self.rows.items() if each != listener_id and other.seen_at > row.joined_at
        ]
        given = frozenset(gives) & frozenset().union(*others)
        row.shards = frozenset(hears) - given
        return ShareOut({each: other.shards for each, other in self.rows.items()}, given)

    async def leave(self, listener_id: str) -> None:
        if self.is_away:
            raise StoreUnavailable("away")
        self.rows.pop(listener_id, None)
