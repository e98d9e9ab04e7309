"""CRON rules as an application of a user's writes them, and the instants that they fired."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stack.sample_data import SampleEnterprise, insert_rules
from tests.e2e.promptness import promptly
from tests.e2e.system import System

EVERY_SECOND = {"cron": "* * * * * *"}
NOT_THIS_YEAR = {"cron": "0 0 29 2 *"}
"""Due on 29 February only."""

FIRES_WITHIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Firing:
    """The row of one instant of one rule."""

    instant: datetime
    notification_id: int
    written_at: datetime

    @property
    def late_seconds(self) -> float:
        """From the instant to the row."""
        return (self.written_at - self.instant).total_seconds()


async def insert(system: System, enterprise: SampleEnterprise, *trigger_configs: object, **columns: Any) -> list[int]:
    """Insert a published rule of the enterprise's static workflow for each config, in one transaction; their ids."""
    rule = {"notification_workflow_id": enterprise.static, **columns}
    connection = await system.connect()
    try:
        return await insert_rules(
            connection, enterprise.enterprise_id, [{**rule, "trigger_config": config} for config in trigger_configs]
        )
    finally:
        await connection.close()


async def change(system: System, rule_id: int, trigger_config: Mapping[str, str]) -> datetime:
    """Give the rule another config; returns the time of the change, as that below by the database's clock."""
    return await _write(
        system,
        "update notify.ent_notification_rule set trigger_config = $2::jsonb where id = $1 returning now()",
        rule_id,
        json.dumps(trigger_config),
    )


async def pause(system: System, *rule_ids: int) -> datetime:
    """Deactivate the rules; returns the time of it."""
    return await _write(
        system,
        "update notify.ent_notification_rule set deactivated = true where id = any($1) returning now()",
        rule_ids,
    )


async def publish(system: System, rule_id: int) -> datetime:
    """Publish a draft; returns the time of it."""
    return await _write(
        system,
        "update notify.ent_notification_rule set publish_status = 'PUBLISH' where id = $1 returning now()",
        rule_id,
    )


async def delete(system: System, rule_id: int) -> datetime:
    """Delete the rule; returns the time of it."""
    return await _write(system, "delete from notify.ent_notification_rule where id = $1 returning now()", rule_id)


async def schedule_errors(system: System, rule_ids: Sequence[int]) -> dict[int, str | None]:
    """What the rules' rows say is wrong with them."""
    connection = await system.connect()
    try:
        found = await connection.fetch(
            "select id, schedule_error from notify.ent_notification_rule where id = any($1)", rule_ids
        )
        return {row["id"]: row["schedule_error"] for row in found}
    finally:
        await connection.close()


async def fired(system: System, rule_ids: Sequence[int]) -> dict[int, list[Firing]]:
    """The rules' firings in order of their instants, also of rules that are gone by now.

    Read from the rows' names: a row that came of a rule in any other way would have none like these.
    """
    connection = await system.connect()
    try:
        found = await connection.fetch(
            """
            select id, split_part(name, ' ', 2)::bigint as rule_id, split_part(name, ' ', 4)::timestamptz as instant,
                   created_at
              from notify.ent_notification
             where name like 'rule % at %' and split_part(name, ' ', 2)::bigint = any($1)
             order by instant
            """,
            rule_ids,
        )
    finally:
        await connection.close()
    firings: dict[int, list[Firing]] = {rule_id: [] for rule_id in rule_ids}
    for row in found:
        firings[row["rule_id"]].append(Firing(row["instant"], row["id"], row["created_at"]))
    return firings


async def instants(system: System, rule_id: int) -> list[datetime]:
    """The instants that the rule fired, in order, each as often as it did."""
    return [firing.instant for firing in (await fired(system, [rule_id]))[rule_id]]


async def fired_through(
    system: System, rule_id: int, instant: datetime, *, within: float = FIRES_WITHIN_SECONDS
) -> None:
    """Wait until the rule has fired this instant or a later one. `within`: as promptly counts.

    Rules of one enterprise fire together: what the others of it should have fired by then, they have.
    """

    async def has_fired() -> bool:
        return any(each >= instant for each in await instants(system, rule_id))

    await promptly(has_fired, within=within, what=f"rule {rule_id} fires at {instant:%H:%M:%S}")


def multiples(period: timedelta, after: datetime, until: datetime) -> list[datetime]:
    """Every instant in (after, until] that a rule fires whose interval divides the minute or the hour."""
    seconds = period.total_seconds()
    first = int(after.timestamp() // seconds) + 1
    last = int(until.timestamp() // seconds)
    return [datetime.fromtimestamp(number * seconds, UTC) for number in range(first, last + 1)]


async def _write(system: System, statement: str, *arguments: Any) -> datetime:
    connection = await system.connect()
    try:
        written_at: datetime | None = await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()
    assert written_at is not None, "the rule is there"
    return written_at
