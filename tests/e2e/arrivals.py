"""When notifications reached Novu, which of them it cancelled again, and how late they were."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import quantiles

from tests.e2e.system import System


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event that Novu took and had not seen before; `at` in Unix seconds."""

    at: float
    cancelled: bool


async def arrivals(system: System, enterprise_id: str) -> dict[int, list[Arrival]]:
    """By notification, for those with one event each: at most 100 recipients."""
    connection = await system.connect()
    try:
        records = await connection.fetch(
            "select id, coalesce(transaction_base, 'xnovu.' || delivery_key) as base"
            " from notify.ent_notification where enterprise_id = $1",
            enterprise_id,
        )
    finally:
        await connection.close()
    ids = {record["base"]: record["id"] for record in records}
    found: dict[int, list[Arrival]] = {}
    for call in await system.sink_calls():
        notification_id = ids.get(call["transaction_id"])
        if notification_id is not None and call["status"] == "processed" and not call["duplicate"]:
            arrival = Arrival(call["received_at_ns"] / 1e9, call["cancelled"])
            found.setdefault(notification_id, []).append(arrival)
    return found


def lateness(due: Mapping[int, datetime], arrived: Mapping[int, list[Arrival]]) -> list[float]:
    """Seconds from each notification's instant to its arrival; negative where it came too early."""
    return [arrived[notification_id][0].at - instant.timestamp() for notification_id, instant in due.items()]


def describe(seconds: Iterable[float]) -> str:
    """Median, 95th percentile and maximum, for people."""
    measured = sorted(seconds)
    cuts = quantiles(measured, n=100, method="inclusive")
    return f"p50 {cuts[49]:.3f} s, p95 {cuts[94]:.3f} s, max {measured[-1]:.3f} s"
