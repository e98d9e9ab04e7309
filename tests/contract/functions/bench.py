"""Functions as functions-framework serves them, two enterprises of the test's own, and the callers that there are."""

import hashlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import pytest
from functions_framework.aio import create_asgi_app

from stack.sample_data import SampleEnterprise, insert_notifications, seed_enterprise

SOURCE = Path(__file__).parents[3] / "functions" / "main.py"

OPERATOR_KEY = "operator-key"
TENANT_KEY = "tenant-key"

OPERATOR = {"X-Api-Key": OPERATOR_KEY}
TENANT = {"X-Api-Key": TENANT_KEY}

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def functions_environment(stack: Mapping[str, str], ours: str, theirs: str) -> dict[str, str]:
    """An operator may act for both enterprises, a tenant for `ours` alone."""
    return {
        **stack,
        "DAEMON_ENTERPRISE_IDS": f"{ours},{theirs}",
        "TEMPORAL_TASK_QUEUE": f"test-{uuid4()}",
        "FUNCTIONS_API_KEYS": f"operator:{_sha256(OPERATOR_KEY)};tenant:{_sha256(TENANT_KEY)}:{ours}",
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@asynccontextmanager
async def open_function(
    target: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the function in this process; its settings are read from `environment`."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = create_asgi_app(target, str(SOURCE))  # type: ignore[no-untyped-call]
    functions = sys.modules["main"].functions
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://functions") as client:
            yield client
    finally:
        await functions.connections.close()


@dataclass(frozen=True)
class Bench:
    """The trigger function, and the rows behind it."""

    trigger: httpx.AsyncClient
    connection: Connection
    environment: Mapping[str, str]
    ours: SampleEnterprise
    theirs: SampleEnterprise
    workflow_key: str

    def new(self, **members: Any) -> dict[str, Any]:
        """The body of a call that makes a notification of ours, unless the members say otherwise."""
        return {
            "enterpriseId": self.ours.enterprise_id,
            "workflowKey": self.workflow_key,
            "recipients": ["ada"],
            "payload": {"greeting": "hello"},
            **members,
        }

    async def insert(self, enterprise: SampleEnterprise, **columns: Any) -> int:
        """A published, immediately due row of the enterprise, unless the columns say otherwise."""
        row = {"notification_workflow_id": enterprise.static, **columns}
        (identity,) = await insert_notifications(self.connection, enterprise.enterprise_id, [row])
        return identity

    async def row(self, notification_id: int) -> asyncpg.Record:
        """The notification's row."""
        row = await self.connection.fetchrow("select * from notify.ent_notification where id = $1", notification_id)
        assert row is not None
        return row

    async def count(self) -> int:
        """How many notifications and idempotency keys there are of both enterprises."""
        counted: int = await self.connection.fetchval(
            "select (select count(*) from notify.ent_notification where enterprise_id = any($1))"
            " + (select count(*) from notify.trigger_request where enterprise_id = any($1))",
            [self.ours.enterprise_id, self.theirs.enterprise_id],
        )
        return counted


async def seed(connection: Connection) -> tuple[SampleEnterprise, SampleEnterprise, str]:
    """Two new enterprises, and the key of the first one's workflow."""
    ours, theirs = [await seed_enterprise(connection, f"{name}-{uuid4().hex[:12]}") for name in ("ours", "theirs")]
    key = await connection.fetchval(
        "select workflow_key from notify.ent_notification_workflow where id = $1", ours.static
    )
    return ours, theirs, str(key)
