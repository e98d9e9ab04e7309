"""What the scaler of a pool remembers between two ticks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ScalerTick:
    """The one tick that may act now. `memory` is what the last one left, if any; `now` is the database's clock."""

    version: int
    now: datetime
    memory: Mapping[str, Any] | None


class ScalerMemory(Protocol):
    """What the scaler of a pool remembers, and who of several ticks at once may act.

    Both methods raise StoreUnavailable on a passing fault.
    """

    async def begin_tick(self, pool: str, *, hold_seconds: float) -> ScalerTick | None:
        """Begin a tick, unless another one is under way; None then. It may act for so many seconds."""
        ...

    async def end_tick(self, pool: str, tick: ScalerTick, memory: Mapping[str, Any] | None) -> bool:
        """End it, leaving this for the next one (None: what there was). False if it was overtaken, and left nothing."""
        ...
