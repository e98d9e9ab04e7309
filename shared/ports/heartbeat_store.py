"""Where a process says how it is."""

from typing import Protocol

from shared.health.observations import ComponentReport


class HeartbeatStore(Protocol):
    """What a listener or a worker says of itself. All methods raise StoreUnavailable on a passing fault."""

    async def publish(self, report: ComponentReport) -> None:
        """Replace the component's latest report; the database's clock dates it."""
        ...

    async def withdraw(self, component_id: str) -> None:
        """Take the component's report away: it has ended. Safe to repeat."""
        ...
