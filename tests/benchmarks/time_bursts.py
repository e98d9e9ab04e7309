"""How late what is due comes: rows spread over time, a thousand rules at one instant, ten thousand rows at another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import quantiles

from stack.sample_data import insert_notifications, insert_rules
from tests.benchmarks.sink import count_deliveries, read_arrivals, read_transaction_ids
from tests.benchmarks.system import System
from tests.benchmarks.waiting import wait_until, wait_until_settled

SPREAD_ROWS = 300
SPREAD_SECONDS = (10.0, 40.0)
RULES = 1_000
BURST_ROWS = 10_000
AHEAD = timedelta(seconds=10)


@dataclass(frozen=True)
class Lateness:
    """Seconds from the instant to Novu; how many were not delivered exactly once."""

    count: int
    p50: float
    p95: float
    last: float
    not_once: int


@dataclass(frozen=True)
class Rules:
    """Rules due at one instant: how late their rows were delivered, and the last of them was written."""

    delivered: Lateness
    last_written: float


async def spread(system: System) -> Lateness:
    """Rows of all enterprises, due at random."""
    chance = Random(20261126)
    now = datetime.now(UTC)
    due: dict[int, datetime] = {}
    for enterprise in system.enterprises:
        times = [
            now + timedelta(seconds=chance.uniform(*SPREAD_SECONDS))
            for _ in range(SPREAD_ROWS // len(system.enterprises))
        ]
        written = await _schedule(system, enterprise.enterprise_id, enterprise.static, times)
        due |= written
    await wait_until_settled(system, list(due))
    return await _lateness(system, due)


async def burst(system: System) -> Lateness:
    """Rows of one enterprise, all due at one instant."""
    enterprise = system.enterprises[0]
    at = datetime.now(UTC) + AHEAD
    written = await _schedule(system, enterprise.enterprise_id, enterprise.static, [at] * BURST_ROWS)
    await wait_until_settled(system, list(written))
    return await _lateness(system, dict.fromkeys(written, at))


async def rules(system: System) -> Rules:
    """Rules of all enterprises, all due at one instant and not again for a year."""
    at = datetime.now(UTC).replace(microsecond=0) + AHEAD
    config = {"cron": f"{at.second} {at.minute} {at.hour} {at.day} {at.month} *"}
    rule_ids: list[int] = []
    for enterprise in system.enterprises:
        rule = {"notification_workflow_id": enterprise.static, "trigger_config": config}
        share = RULES // len(system.enterprises)
        rule_ids += await insert_rules(system.database, enterprise.enterprise_id, [rule] * share)

    async def all_fired() -> bool:
        fired: int = await system.database.fetchval(
            "select count(*) from notify.ent_notification where notification_rule_id = any($1)", rule_ids
        )
        return fired >= len(rule_ids)

    await wait_until(all_fired)
    rows = await system.database.fetch(
        "select id, created_at from notify.ent_notification where notification_rule_id = any($1)",
        rule_ids,
    )
    await wait_until_settled(system, [row["id"] for row in rows])
    delivered = await _lateness(system, {row["id"]: at for row in rows})
    return Rules(delivered, max((row["created_at"] - at).total_seconds() for row in rows))


async def _schedule(
    system: System, enterprise_id: str, workflow_id: int, times: Sequence[datetime]
) -> dict[int, datetime]:
    rows = [{"notification_workflow_id": workflow_id, "scheduled_for": time.isoformat()} for time in times]
    return dict(zip(await insert_notifications(system.database, enterprise_id, rows), times, strict=True))


async def _lateness(system: System, due: Mapping[int, datetime]) -> Lateness:
    arrivals = await read_arrivals(system)
    keys = await read_transaction_ids(system, list(due))
    deliveries = await count_deliveries(system, set(keys.values()))
    late = sorted(arrivals[keys[each]] - time.timestamp() for each, time in due.items() if keys[each] in arrivals)
    cuts = quantiles(late, n=100, method="inclusive")
    return Lateness(
        count=len(due),
        p50=cuts[49],
        p95=cuts[94],
        last=late[-1],
        not_once=sum(deliveries[key] != 1 for key in keys.values()),
    )
