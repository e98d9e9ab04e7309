"""What health reads of the database."""

from collections.abc import Collection, Sequence
from typing import Protocol

from shared.health.observations import ComponentReport, DatabaseObservation


class HealthStore(Protocol):
    """What all components say of themselves, and what the tables say about how well deliveries go."""

    async def look(
        self,
        own: Sequence[ComponentReport],
        *,
        expected: Collection[str],
        max_age_seconds: float,
        recent_seconds: float,
        failures: int,
    ) -> tuple[list[ComponentReport], DatabaseObservation]:
        """Publish `own`; then read the reports of all components that have reported within `max_age_seconds`, theirs
        included, and who is lost. Of the enterprises that the listeners among them serve, the lost ones served, or that
        are `expected` (but of none that is paused): due rows, rows in hands, rules in error, schedulers' passes, what
        ended within `recent_seconds`, and the latest `failures` failed rows. One round trip.

        Raises StoreUnavailable on a passing fault.
        """
        ...
