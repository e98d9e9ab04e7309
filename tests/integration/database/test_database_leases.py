"""renew_claims: how a claim is kept."""

from datetime import timedelta
from typing import Any

from tests.integration.database.project import (
    OURS,
    Connection,
    call,
    claim,
    insert_notification,
    insert_notifications,
    read,
    update,
)


async def _renew(connection: Connection, owner: str, chunks_sent: dict[str, int], lease_seconds: int) -> Any:
    return await call(
        connection,
        "renew_claims",
        p_enterprise_id=OURS,
        p_claim_owner=owner,
        p_chunks_sent=chunks_sent,
        p_lease_seconds=lease_seconds,
    )


async def test_renewing_extends_the_lease_and_never_lowers_the_progress(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])

    answers = [await _renew(connection, "owner", {str(notification_id): count}, 600) for count in (3, 2)]

    row = await read(connection, notification_id)
    assert answers == [{"held": [notification_id]}] * 2
    assert row["chunks_sent"] == 3
    assert row["lease_expires_at"] - row["updated_at"] == timedelta(seconds=600)
    assert row["attempts"] == 1


async def test_only_rows_still_held_are_renewed(connection: Connection) -> None:
    held, retracted, taken_over = await insert_notifications(connection, 3)
    await claim(connection, [held, retracted, taken_over])
    await update(connection, [retracted], "notification_status = 'RETRACTED'")
    await update(connection, [taken_over], "lease_expires_at = now()")
    await claim(connection, [taken_over], "other")

    answer = await _renew(connection, "owner", {str(key): 1 for key in (held, retracted, taken_over)}, 60)

    assert answer == {"held": [held]}
    assert (await read(connection, taken_over))["chunks_sent"] == 0


async def test_progress_outlives_the_claim(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    await _renew(connection, "owner", {str(notification_id): 7}, 60)
    await update(connection, [notification_id], "lease_expires_at = now()")

    answer = await claim(connection, [notification_id], "other")

    assert [(row["chunks_sent"], row["attempts"]) for row in answer["notifications"]] == [(7, 2)]
