"""The worker processes, wherever they run."""

from dataclasses import dataclass
from typing import Protocol


class PoolUnavailable(Exception):
    """The platform did not say or did not do what was asked; the message is for an operator."""


class PoolChanged(Exception):
    """Somebody else has changed the pool since it was read; nothing was done."""


@dataclass(frozen=True, slots=True)
class PoolCount:
    """How many instances a pool is to have, and the version of the pool that says so."""

    instances: int
    etag: str


class WorkerPool(Protocol):
    """The worker processes, as many as are asked for. Both methods raise PoolUnavailable."""

    async def read(self) -> PoolCount:
        """How many are to run now."""
        ...

    async def set_count(self, count: int, seen: PoolCount) -> None:
        """Have so many run. Raises PoolChanged if the pool is not any more as it was seen."""
        ...
