"""Rows as an application of a user's writes them, and what became of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stack.sample_data import insert_notifications
from tests.e2e.system import System, eventually

SETTLED = frozenset({"SENT", "FAILED", "RETRACTED"})
SETTLED_WITHIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """A notification as it stands; `is_untouched` says that nobody has written to it since its insert."""

    status: str
    error: Mapping[str, Any]
    transaction_id: str | None
    chunks_sent: int
    is_untouched: bool


async def insert(system: System, enterprise_id: str | None, *rows: Mapping[str, Any]) -> list[int]:
    """Insert published rows in one transaction; returns their ids, in order."""
    connection = await system.connect()
    try:
        return await insert_notifications(connection, enterprise_id, rows)
    finally:
        await connection.close()


async def execute(system: System, statement: str, *arguments: Any) -> Any:
    """Run one statement; returns the first value of the first row it gives, if any."""
    connection = await system.connect()
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def read(system: System, ids: Sequence[int]) -> dict[int, Row]:
    """The rows with these ids, in this order."""
    connection = await system.connect()
    try:
        records = await connection.fetch(
            """
            select id, notification_status::text as status, coalesce(error_details, '{}') as error, transaction_id,
                   chunks_sent, attempts = 0 and claim_owner is null and updated_at = created_at as is_untouched
              from notify.ent_notification where id = any($1) order by array_position($1, id)
            """,
            ids,
        )
    finally:
        await connection.close()
    return {
        record["id"]: Row(
            status=record["status"],
            error=json.loads(record["error"]),
            transaction_id=record["transaction_id"],
            chunks_sent=record["chunks_sent"],
            is_untouched=record["is_untouched"],
        )
        for record in records
    }


async def settled(system: System, ids: Sequence[int], *, within: float = SETTLED_WITHIN_SECONDS) -> dict[int, Row]:
    """The rows with these ids, once each of them has a final status."""

    async def are_settled() -> bool:
        return all(row.status in SETTLED for row in (await read(system, ids)).values())

    await eventually(are_settled, within=within, what=f"{len(ids)} rows have a final status")
    return await read(system, ids)


async def owners(system: System, ids: Sequence[int]) -> list[str]:
    """The workflows that last claimed these rows, by id."""
    owned: list[str] = await execute(
        system, "select array_agg(distinct claim_owner) from notify.ent_notification where id = any($1)", ids
    )
    return owned


async def transaction_bases(system: System, ids: Sequence[int]) -> dict[int, str]:
    """The transaction id at Novu of each row's first chunk of recipients, whether or not it has been sent."""
    connection = await system.connect()
    try:
        records = await connection.fetch(
            "select id, coalesce(transaction_base, 'xnovu.' || delivery_key) as base"
            " from notify.ent_notification where id = any($1)",
            ids,
        )
    finally:
        await connection.close()
    return {record["id"]: record["base"] for record in records}


async def calls_for(system: System, notification_id: int) -> list[dict[str, Any]]:
    """The calls to Novu for this row, in order, those that it recognised as repeated included."""
    transaction_id = (await transaction_bases(system, [notification_id]))[notification_id]
    return [
        call
        for call in await system.sink_calls(transaction_id)
        if call["transaction_id"] == transaction_id or call["transaction_id"].startswith(f"{transaction_id}.")
    ]


async def insert_template(
    system: System, enterprise_id: str, key: str, body: str, *, channel: str = "EMAIL", subject: str | None = "Hello"
) -> int:
    """An active template; returns its id."""
    template_id: int = await execute(
        system,
        """
        insert into notify.ent_notification_template
               (name, enterprise_id, publish_status, template_key, channel_type, subject_template, body_template)
        select name, enterprise_id, publish_status, template_key, channel_type, subject_template, body_template
          from jsonb_populate_record(null::notify.ent_notification_template, $1::jsonb)
        returning id
        """,
        json.dumps(
            {
                "name": key,
                "enterprise_id": enterprise_id,
                "publish_status": "PUBLISH",
                "template_key": key,
                "channel_type": channel,
                "subject_template": subject,
                "body_template": body,
            }
        ),
    )
    return template_id


async def insert_email_workflow(system: System, enterprise_id: str, key: str, template: int | str) -> int:
    """An active DYNAMIC workflow whose emails are made of this template, named by id or key; returns its id."""
    workflow_id: int = await execute(
        system,
        """
        insert into notify.ent_notification_workflow
               (name, enterprise_id, publish_status, workflow_key, workflow_type, template_overrides)
        values ($1, $2, 'PUBLISH', $1, 'DYNAMIC', $3::jsonb)
        returning id
        """,
        key,
        enterprise_id,
        json.dumps({"emailTemplateId": template}),
    )
    return workflow_id
