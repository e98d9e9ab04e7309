"""Claims, renewals, records, retractions, replays and redeliveries in any order: what holds, and that it could fail.

`make state-machines MINUTES=10` runs as long as it says, with examples of its own.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.database.delivery_machine import WORKERS, DeliveryMachine
from tests.integration.database.project import Connection, Project

MINUTES = float(os.environ.get("XNOVU_STATE_MACHINE_MINUTES", "0"))

SHORT = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=20,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)
WEAKENED = settings(SHORT, max_examples=200, phases=[Phase.generate], report_multiple_bugs=False)
LONG = settings(SHORT, derandomize=False, max_examples=150, stateful_step_count=60)


def whole(*weakened: str) -> Any:
    """One that takes more steps to be found."""
    return pytest.param(*weakened, marks=pytest.mark.whole)


@contextmanager
def machine_on(project: Project) -> Iterator[type[DeliveryMachine]]:
    """The machine, with a connection for each worker and one for who looks on."""
    loop = asyncio.new_event_loop()
    connections = AsyncExitStack()

    async def connect() -> dict[str, Connection]:
        return {name: await connections.enter_async_context(project.connect()) for name in (*WORKERS, "operator")}

    try:
        made = loop.run_until_complete(connect())
        yield type("Machine", (DeliveryMachine,), {"loop": loop, "connections": made})
    finally:
        loop.run_until_complete(connections.aclose())
        loop.close()


def test_whatever_happens_each_row_has_one_owner_and_one_end(project: Project) -> None:
    with machine_on(project) as machine:
        if not MINUTES:
            run_state_machine_as_test(machine, settings=SHORT)
            return
        until = time.monotonic() + MINUTES * 60
        while time.monotonic() < until:
            run_state_machine_as_test(machine, settings=LONG)


@pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
@pytest.mark.parametrize(
    ("function", "guard", "instead"),
    [
        ("take_rows_of", "n.lease_expires_at is null or n.lease_expires_at <= now()", "true"),
        ("take_rows_of", "n.notification_status = 'PENDING'", "n.notification_status in ('PENDING', 'RETRACTED')"),
        ("take_rows_of", "n.awaits_answer or", "false or"),
        ("write_outcomes", "and n.claim_owner = p_claim_owner", ""),
        whole("take_rows_of", "n.notification_status = 'PENDING'", "n.notification_status in ('PENDING', 'SENT')"),
        whole("renew_rows", "and n.claim_owner = p_claim_owner", ""),
        whole("renew_rows", "greatest(n.chunks_sent, mine.chunks_sent)", "mine.chunks_sent"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_guard_that_is_weakened_is_found(separate_project: Project, function: str, guard: str, instead: str) -> None:
    weaken(separate_project, function, guard, instead)

    with machine_on(separate_project) as machine, pytest.raises((AssertionError, Flaky)):
        run_state_machine_as_test(machine, settings=WEAKENED)


def weaken(project: Project, function: str, guard: str, instead: str) -> None:
    """In this database alone."""

    async def replace() -> None:
        async with project.connect("postgres") as owner:
            source = await owner.fetchval(
                "select pg_get_functiondef(p.oid) from pg_proc p"
                " where p.pronamespace = 'notify'::regnamespace and p.proname = $1",
                function,
            )
            assert guard in source
            await owner.execute(source.replace(guard, instead, 1))

    asyncio.run(replace())
