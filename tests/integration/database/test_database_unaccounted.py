"""unaccounted: rows that should have been taken up by now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import OURS, THEIRS, TOMORROW, Connection, call, claim, insert_notification

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
WRITTEN_LONG_AGO = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
NOTHING = {"rows": 0, "oldest_age_seconds": 0}


async def _unaccounted(connection: Connection, enterprise_ids: list[str], older_than_seconds: int | None = 60) -> Any:
    return await call(
        connection, "unaccounted", p_enterprise_ids=enterprise_ids, p_older_than_seconds=older_than_seconds
    )


def _now() -> datetime:
    return datetime.now(UTC)


async def test_every_kind_of_forgotten_row_is_counted_over_all_enterprises(connection: Connection) -> None:
    await insert_notification(connection, **WRITTEN_LONG_AGO)
    await insert_notification(connection, **WRITTEN_LONG_AGO, scheduled_for=LONG_AGO)
    await insert_notification(
        connection, **WRITTEN_LONG_AGO, notification_status="PROCESSING", lease_expires_at=LONG_AGO
    )
    await insert_notification(connection, **WRITTEN_LONG_AGO, notification_status="PROCESSING")
    await insert_notification(connection, **WRITTEN_LONG_AGO, enterprise_id=THEIRS)

    answer = await _unaccounted(connection, [OURS, THEIRS, OURS])

    assert answer["rows"] == 5
    assert abs(answer["oldest_age_seconds"] - (_now() - LONG_AGO).total_seconds()) < 60
    assert (await _unaccounted(connection, [OURS]))["rows"] == 4


async def test_a_row_counts_from_the_moment_it_is_due_and_free(connection: Connection) -> None:
    """Old rows, but written, due or abandoned only a moment ago."""
    for columns in (
        {"created_at": LONG_AGO, "updated_at": _now()},
        {"created_at": _now(), "updated_at": LONG_AGO},
        {**WRITTEN_LONG_AGO, "scheduled_for": _now()},
        {**WRITTEN_LONG_AGO, "notification_status": "PROCESSING", "lease_expires_at": _now()},
        {
            **WRITTEN_LONG_AGO,
            "notification_status": "PROCESSING",
            "lease_expires_at": LONG_AGO,
            "scheduled_for": _now() - timedelta(seconds=1),
        },
    ):
        await insert_notification(connection, **columns)

    assert await _unaccounted(connection, [OURS]) == NOTHING
    assert (await _unaccounted(connection, [OURS], 0))["rows"] == 5


async def test_rows_held_or_not_due_or_done_are_accounted_for(connection: Connection) -> None:
    held = await insert_notification(connection, **WRITTEN_LONG_AGO)
    await claim(connection, [held])
    for columns in (
        {"scheduled_for": FUTURE},
        {"publish_status": "DRAFT"},
        {"deactivated": True},
        {"notification_status": "SENT"},
        {"notification_status": "FAILED"},
        {"notification_status": "RETRACTED"},
        {"notification_status": "PROCESSING", "lease_expires_at": TOMORROW},
        {"notification_status": "PROCESSING", "lease_expires_at": LONG_AGO, "scheduled_for": FUTURE},
        {"enterprise_id": None},
    ):
        await insert_notification(connection, **{**WRITTEN_LONG_AGO, **columns})

    assert await _unaccounted(connection, [OURS], 0) == NOTHING


@pytest.mark.parametrize("older_than_seconds", [-1, None])
async def test_an_age_that_makes_no_sense_is_an_error(connection: Connection, older_than_seconds: int | None) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await _unaccounted(connection, [OURS], older_than_seconds)
