"""The demo's rule: published, left to fire a few times, paused, and held to every instant in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from cli.demo import kinds
from cli.demo.kinds import Ledger
from stack.sample_data import SampleEnterprise, sample_payload

PERIOD = timedelta(seconds=5)
FIRES_AT_LEAST_SECONDS = 11.0
FAR_FROM_AN_INSTANT_SECONDS = 2.5


@asynccontextmanager
async def every_five_seconds(
    connection: asyncpg.Connection, ledger: Ledger, enterprise: SampleEnterprise
) -> AsyncIterator[None]:
    """The rule is active while the block runs, eleven seconds at least; afterwards its rows are in the ledger."""
    [rule] = await connection.fetch(
        """
        insert into notify.ent_notification_rule
               (name, enterprise_id, publish_status, notification_workflow_id, trigger_type, trigger_config,
                rule_payload)
        values ('every five seconds', $1, 'PUBLISH', $2, 'CRON', $3::jsonb, $4::jsonb)
        returning id, now() as published_at
        """,
        enterprise.enterprise_id,
        enterprise.static,
        json.dumps({"cron": "*/5 * * * * *"}),
        json.dumps({"recipients": ["ada"], "payload": sample_payload(0)}),
    )
    enough = asyncio.create_task(asyncio.sleep(FIRES_AT_LEAST_SECONDS))
    yield
    await enough
    await _away_from_an_instant()
    paused_at = await connection.fetchval(
        "update notify.ent_notification_rule set deactivated = true where id = $1 returning now()", rule["id"]
    )
    rows = await connection.fetch(
        "select id, name from notify.ent_notification where notification_rule_id = $1", rule["id"]
    )
    ids = {row["name"].rpartition(" at ")[2]: row["id"] for row in rows}
    for instant in _instants(rule["published_at"], paused_at):
        missing = -int(instant.timestamp())  # no row has this id: the instant did not fire
        notification_id = ids.get(instant.strftime("%Y-%m-%dT%H:%M:%SZ"), missing)
        ledger.add(kinds.RULE, enterprise.enterprise_id, [notification_id], instant.timestamp())


async def _away_from_an_instant() -> None:
    """Wait until the nearest instants are well behind and well ahead."""
    into_period = datetime.now(UTC).timestamp() % PERIOD.total_seconds()
    await asyncio.sleep((FAR_FROM_AN_INSTANT_SECONDS - into_period) % PERIOD.total_seconds())


def _instants(after: datetime, until: datetime) -> list[datetime]:
    """The multiples of the period in (after, until]."""
    first = int(after.timestamp() // PERIOD.total_seconds()) + 1
    last = int(until.timestamp() // PERIOD.total_seconds())
    return [datetime.fromtimestamp(number * PERIOD.total_seconds(), UTC) for number in range(first, last + 1)]
