"""What an enterprise has of its own: set, taken back, refused, and what comes of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    call,
    insert_rule,
    insert_workflow,
)

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


async def _set(connection: Connection, enterprise_id: str = OURS, **settings: Any) -> Any:
    return await call(connection, "set_enterprise", p_enterprise_id=enterprise_id, p_settings=settings)


async def _settings(connection: Connection) -> Any:
    return await call(connection, "enterprise_settings", p_enterprise_ids=None)


async def test_what_is_named_is_set_and_null_takes_it_back(connection: Connection) -> None:
    first = await _set(connection, time_zone="Europe/Berlin")
    again = await _set(connection)
    [listed] = await call(connection, "list_enterprises", p_search="", p_after="", p_limit=10)
    both = await _settings(connection)
    back = await _set(connection, time_zone=None)

    assert first == {"enterprise_id": OURS, "was": {}, "settings": {"time_zone": "Europe/Berlin"}}
    assert again["was"] == again["settings"] == {"time_zone": "Europe/Berlin"}
    assert (listed["served"], listed["settings"]) == (True, {"time_zone": "Europe/Berlin"})
    assert both == {OURS: {"time_zone": "Europe/Berlin"}}
    assert (back["settings"], await _settings(connection)) == ({}, {})


async def test_a_setting_does_not_change_who_is_served(connection: Connection) -> None:
    await call(connection, "serve_enterprise", p_enterprise_id=OURS, p_served=False)
    await _set(connection, time_zone="Europe/Berlin")

    assert await call(connection, "unserved_enterprises") == [OURS]
    await call(connection, "serve_enterprise", p_enterprise_id=OURS, p_served=True)
    assert await _settings(connection) == {OURS: {"time_zone": "Europe/Berlin"}}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"time_zone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"time_zone": "europe/berlin"}, "there is no time zone"),
        ({"zone": "Europe/Berlin"}, "the members are: time_zone"),
        ({"novu_key_name": "0123456789abcdef"}, "and never a key"),
        ({"novu_key_name": "NOVU_SECRET_KEY"}, "the name of a variable is meant"),
        ({"rate_per_second": 0}, "a rate is 0.01 to 100000 events a second, and not 0"),
        ({"time_zone": "Europe/Berlin", "rate_per_second": -1}, "a rate is"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_of_it_stays(
    connection: Connection, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match=told):
        await _set(connection, **settings)

    assert await call(connection, "list_enterprises", p_search="", p_after="", p_limit=10) == []


async def test_by_hand_too_a_zone_must_be_one(connection: Connection) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="no time zone"):
        await connection.execute(
            "insert into notify.enterprise (enterprise_id, time_zone) values ($1, 'Nowhere')", OURS
        )


async def test_rules_that_name_no_zone_are_read_again_and_count_from_the_change_on(connection: Connection) -> None:
    workflow = await insert_workflow(connection)
    unnamed = await insert_rule(connection, workflow, trigger_config={"cron": "0 9 * * *"})
    named = await insert_rule(connection, workflow, trigger_config={"cron": "0 9 * * *", "timezone": "Asia/Tokyo"})
    theirs = await insert_rule(
        connection,
        await insert_workflow(connection, enterprise_id=THEIRS),
        enterprise_id=THEIRS,
        trigger_config={"cron": "0 9 * * *"},
    )
    await _forget_marks(connection)

    await _set(connection, time_zone="Europe/Berlin")

    changed = await connection.fetch(
        "select id from notify.ent_notification_rule where schedule_changed_at > $1 order by id", YESTERDAY
    )
    marks = await connection.fetch("select enterprise_id from notify.unread_rules")
    ours = await call(connection, "read_cron_rules", p_enterprise_id=OURS)
    assert [row["id"] for row in changed] == [unnamed], f"not {named}, nor {theirs}"
    assert [row["enterprise_id"] for row in marks] == [OURS]
    assert ours["time_zone"] == "Europe/Berlin"
    assert (await call(connection, "read_cron_rules", p_enterprise_id=THEIRS))["time_zone"] is None
    assert (await call(connection, "trace_rule", p_rule_id=unnamed))["time_zone"] == "Europe/Berlin"

    await _forget_marks(connection)
    await _set(connection, time_zone="Europe/Berlin")
    assert await connection.fetch("select enterprise_id from notify.unread_rules") == [], "nothing has changed"
    await _set(connection, time_zone=None)
    assert len(await connection.fetch("select enterprise_id from notify.unread_rules")) == 1


async def _forget_marks(connection: Connection) -> None:
    """As if all rules were of the day before yesterday, and read."""
    await connection.execute(
        "update notify.ent_notification_rule set schedule_changed_at = $1", YESTERDAY - timedelta(days=1)
    )
    await connection.execute("delete from notify.unread_rules")


async def test_workers_are_told_what_concerns_sending(connection: Connection) -> None:
    await _set(connection, time_zone="Europe/Berlin", rate_per_second=2.5)
    await _set(connection, THEIRS, time_zone="Europe/Berlin")
    await call(connection, "serve_enterprise", p_enterprise_id="rests", p_served=False)

    assert await call(connection, "enterprises_told") == {
        "unserved": ["rests"],
        "settings": {OURS: {"rate_per_second": 2.5, "novu_key_name": None, "novu_key_before": None}},
    }


async def _take(connection: Connection, owner: str, *, needed: int = 1, per_second: float = 2.0) -> Any:
    return await call(
        connection,
        "take_novu_tokens",
        p_category="trigger",
        p_needed=needed,
        p_spare=0,
        p_per_second=per_second,
        p_burst=1.0,
        p_probe_seconds=60.0,
        p_owner=owner,
        p_within_seconds=5.0,
    )


async def test_an_enterprise_s_tokens_are_nobody_else_s(connection: Connection) -> None:
    await call(connection, "pause_novu_tokens", p_category="trigger", p_seconds=30.0)
    await call(connection, "note_novu_payment", p_category="global", p_required=True, p_probe_seconds=60.0)

    ours = [await _take(connection, f"//{OURS}") for _ in range(3)]
    theirs = await _take(connection, f"//{THEIRS}")
    everybody = await _take(connection, "")

    assert [block["granted"] for block in (*ours, theirs, everybody)] == [1, 1, 1, 1, 0]
    assert ours[0]["wait_seconds"] == theirs["wait_seconds"] == 0
    assert 0 < ours[1]["wait_seconds"] < ours[2]["wait_seconds"] <= 1


async def test_a_token_that_would_be_long_in_coming_is_not_booked(connection: Connection) -> None:
    slow = [await _take(connection, f"//{OURS}", per_second=0.1) for _ in range(3)]

    assert [block["granted"] for block in slow] == [1, 0, 0]
    assert all(4 < block["wait_seconds"] <= 5 for block in slow[1:]), "five seconds before it is there"


async def test_the_bucket_goes_with_the_rate(connection: Connection) -> None:
    for again in (True, False):
        await _set(connection, rate_per_second=2.0)
        await _take(connection, f"//{OURS}")
        await _take(connection, "")
        if again:
            await _set(connection, rate_per_second=None)
        else:
            await call(connection, "remove_enterprise", p_enterprise_id=OURS)

        assert [row["owner"] for row in await connection.fetch("select owner from notify.novu_rate")] == [""]


async def test_another_key_is_another_environment_of_novu_s(connection: Connection) -> None:
    async def told() -> Any:
        return (await call(connection, "enterprises_told"))["settings"].get(OURS)

    async def kept() -> list[str]:
        return [
            row["enterprise_id"] for row in await connection.fetch("select enterprise_id from notify.recipient_kept")
        ]

    async def keep() -> None:
        for enterprise_id in (OURS, THEIRS):
            await connection.execute(
                "insert into notify.recipient_kept (enterprise_id, subscriber_id, credentials_hash)"
                " values ($1, 'u1', 'h') on conflict do nothing",
                enterprise_id,
            )

    changes = [
        ("NOVU_SECRET_KEY__ACME", ""),
        ("NOVU_SECRET_KEY__OTHER", "NOVU_SECRET_KEY__ACME"),
        (None, "NOVU_SECRET_KEY__OTHER"),
    ]
    for name, before in changes:
        await keep()
        await _set(connection, novu_key_name=name)
        assert await told() == {"rate_per_second": None, "novu_key_name": name, "novu_key_before": before}
        assert await kept() == [THEIRS], "its credentials are to be given to the other environment"
    await keep()
    await _set(connection, novu_key_name=None, time_zone="Europe/Berlin")
    assert (await told())["novu_key_before"] == "NOVU_SECRET_KEY__OTHER", "nothing has changed"
    assert sorted(await kept()) == sorted([OURS, THEIRS])
