"""What health asks Temporal."""

from typing import Protocol

from shared.health.observations import TemporalObservation


class TemporalObserving(Protocol):
    """What Temporal says of the task queue and the orchestration."""

    async def observe(self) -> TemporalObservation:
        """Ask now; never raises: an observation without an answer says why there is none."""
        ...
