"""The demo's mixed load, written as an application of a user's would write it: rows in a table."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg

from cli.demo import kinds
from cli.demo.kinds import Ledger
from cli.demo.rule import every_five_seconds
from stack.sample_data import CHANNELS, SampleEnterprise, insert_notifications, sample_payload, seed_enterprise

CONFIGURED = ("acme", "globex", "initech")
NOT_CONFIGURED = "umbrella"

STATIC_ROWS = 50
DYNAMIC_ROWS = 20
ROWS_AFTER_THE_CUT = 20
ROWS_BEFORE_THE_START = 5

WITHOUT_PHONE = "grace"
ADDRESSES: dict[str, dict[str, Any]] = {
    "ada": {
        "email": "ada@example.org",
        "phone": "+12025550101",
        "credentials": [
            {"providerId": "fcm", "channel": "PUSH", "deviceTokens": ["token-of-ada"]},
            {"providerId": "slack", "channel": "CHAT", "webhookUrl": "https://chat.example.org/ada"},
        ],
    },
    WITHOUT_PHONE: {"email": "grace@example.org"},
}
"""Whom the rows are for, and what `notify.recipient` knows of each. The 250 of the fan-out need no address."""


class DemoLoad:
    """Writes rows for three configured enterprises and one that is not, and notes each in the ledger."""

    def __init__(self, connection: asyncpg.Connection, ledger: Ledger, cut_websockets: Callable[[], Awaitable[None]]):
        self._connection = connection
        self._ledger = ledger
        self._cut_websockets = cut_websockets

    async def seed(self) -> None:
        """Create every enterprise's workflows and templates, and rows that wait for the daemon."""
        self._enterprises = [await seed_enterprise(self._connection, name) for name in CONFIGURED]
        self._stranger = await seed_enterprise(self._connection, NOT_CONFIGURED)
        for enterprise in self._enterprises:
            await self._give_addresses(enterprise)
            await self._insert(kinds.BEFORE_THE_START, enterprise, static_rows(enterprise, ROWS_BEFORE_THE_START))

    @property
    def static_workflows(self) -> list[str]:
        """Keys of the workflows whose content is Novu's."""
        return [f"{enterprise.enterprise_id}-welcome" for enterprise in (*self._enterprises, self._stranger)]

    async def send(self) -> None:
        """Write the whole load; takes a few seconds, so that a person can watch it arrive."""
        await self._insert(kinds.NOT_CONFIGURED, self._stranger, [{"notification_workflow_id": self._stranger.static}])
        async with every_five_seconds(self._connection, self._ledger, self._enterprises[0]):
            await self._send_rows()

    async def _send_rows(self) -> None:
        for enterprise in self._enterprises:
            await self._schedule(enterprise)
            await self._insert(kinds.STATIC, enterprise, static_rows(enterprise, STATIC_ROWS))
            await self._insert(kinds.DYNAMIC, enterprise, dynamic_rows(enterprise, DYNAMIC_ROWS))
            await self._insert(kinds.ONE_CHANNEL, enterprise, [dynamic_row(enterprise, ["EMAIL"], "ada")])
            await self._insert(kinds.NO_PHONE, enterprise, [dynamic_row(enterprise, ["EMAIL", "SMS"], WITHOUT_PHONE)])
            await self._insert(kinds.FAN_OUT, enterprise, [fan_out_row(enterprise)])
            await self._insert(kinds.BROKEN_TEMPLATE, enterprise, [email_row(enterprise.broken_template)])
            await self._insert(kinds.UNDEFINED_VARIABLE, enterprise, [email_row(enterprise.undefined_variable)])
            await self._publish_later(enterprise)
            await self._retract_in_time(enterprise)
            await asyncio.sleep(0.5)
        await self._cut_websockets()
        for enterprise in self._enterprises:
            await self._insert(kinds.WEBSOCKET_CUT, enterprise, static_rows(enterprise, ROWS_AFTER_THE_CUT))

    async def _give_addresses(self, enterprise: SampleEnterprise) -> None:
        await self._connection.executemany(
            "insert into notify.recipient (enterprise_id, subscriber_id, email, phone, credentials)"
            " values ($1, $2, $3, $4, $5)",
            [
                (enterprise.enterprise_id, subscriber, known["email"], known.get("phone"), credentials(known))
                for subscriber, known in ADDRESSES.items()
            ],
        )

    async def _insert(self, kind: kinds.Kind, enterprise: SampleEnterprise, rows: list[dict[str, Any]]) -> None:
        due_at = time.time()
        ids = await insert_notifications(self._connection, enterprise.enterprise_id, rows)
        self._ledger.add(kind, enterprise.enterprise_id, ids, due_at)

    async def _schedule(self, enterprise: SampleEnterprise) -> None:
        due_at = time.time() + 5
        row = {
            **static_rows(enterprise, 1)[0],
            "scheduled_for": datetime.fromtimestamp(due_at, UTC).isoformat(),
        }
        ids = await insert_notifications(self._connection, enterprise.enterprise_id, [row])
        self._ledger.add(kinds.SCHEDULED, enterprise.enterprise_id, ids, due_at)

    async def _publish_later(self, enterprise: SampleEnterprise) -> None:
        row = {**static_rows(enterprise, 1)[0], "publish_status": "DRAFT"}
        ids = await insert_notifications(self._connection, enterprise.enterprise_id, [row])
        await asyncio.sleep(0.5)
        due_at = time.time()
        await self._connection.execute(
            "update notify.ent_notification set publish_status = 'PUBLISH' where id = any($1)", ids
        )
        self._ledger.add(kinds.PUBLISHED_LATER, enterprise.enterprise_id, ids, due_at)

    async def _retract_in_time(self, enterprise: SampleEnterprise) -> None:
        row = {**static_rows(enterprise, 1)[0], "scheduled_for": "2999-01-01T00:00:00Z"}
        ids = await insert_notifications(self._connection, enterprise.enterprise_id, [row])
        self._ledger.add(kinds.RETRACTED, enterprise.enterprise_id, ids, time.time())
        await self._connection.execute(
            "select notify.retract_notifications($1, $2, 'changed my mind')", enterprise.enterprise_id, ids
        )


def static_rows(enterprise: SampleEnterprise, count: int) -> list[dict[str, Any]]:
    """Rows whose payload Novu renders itself."""
    return [
        {"notification_workflow_id": enterprise.static, "payload": sample_payload(number)} for number in range(count)
    ]


def dynamic_rows(enterprise: SampleEnterprise, count: int) -> list[dict[str, Any]]:
    """Rows whose five channels we render."""
    return [
        {
            "notification_workflow_id": enterprise.dynamic,
            "payload": sample_payload(number),
            "channels": list(CHANNELS),
        }
        for number in range(count)
    ]


def dynamic_row(enterprise: SampleEnterprise, channels: list[str], recipient: str) -> dict[str, Any]:
    """A row for some of the five channels' workflow."""
    return {
        "notification_workflow_id": enterprise.dynamic,
        "payload": sample_payload(0),
        "channels": channels,
        "recipients": [recipient],
    }


def credentials(known: dict[str, Any]) -> str | None:
    """What push and chat need, as the column takes it."""
    return json.dumps(known["credentials"]) if "credentials" in known else None


def fan_out_row(enterprise: SampleEnterprise) -> dict[str, Any]:
    """One row to 250 people: three calls to Novu of at most 100 each."""
    return {
        "notification_workflow_id": enterprise.static,
        "recipients": [f"subscriber-{number}" for number in range(250)],
    }


def email_row(workflow_id: int) -> dict[str, Any]:
    """A row for a DYNAMIC workflow with an email template."""
    return {"notification_workflow_id": workflow_id, "channels": ["EMAIL"], "payload": {"name": "Ada"}}
