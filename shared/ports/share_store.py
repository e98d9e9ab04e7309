"""How listeners share the shards."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ShareOut:
    """Which shards each running listener hears, the one that asks among them; and what it may give up now."""

    listeners: Mapping[str, frozenset[int]]
    given: frozenset[int]


class ShareStore(Protocol):
    """How the listeners of a deployment share its shards. All methods raise StoreUnavailable on a passing fault."""

    async def share(self, listener_id: str, hears: Collection[int], gives: Collection[int]) -> ShareOut:
        """Say that this listener is here, and what it hears. Of what it `gives` it may give up what somebody else hears
        who was seen since this one came; to the others that is what it hears no more.
        """
        ...

    async def leave(self, listener_id: str) -> None:
        """It has ended, and hears nothing. Safe to repeat."""
        ...
