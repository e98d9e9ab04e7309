"""What no program can read stays in the database: its row is named, and every other row comes along.

Rows are written by SQL text, as anybody may; asyncpg itself knows no year 20000.
"""

import json
from typing import Any

import pytest

from tests.integration.database.project import (
    OURS,
    TOMORROW,
    Connection,
    call,
    insert_notification,
    insert_rule,
    insert_template,
    insert_workflow,
    read_rule,
    update,
    update_rule,
)

IMPOSSIBLE = ["'infinity'", "'-infinity'", "'20000-01-01Z'", "'0044-03-15 00:00Z BC'"]
NEVER = ["'infinity'", "'20000-01-01Z'"]
DEEP = "(repeat('[', 1500) || repeat(']', 1500))::jsonb"
HUGE = "(repeat('7', 5000))::jsonb"


async def claim_batch(connection: Connection, ids: list[int], owner: str = "owner") -> dict[str, Any]:
    answer: dict[str, Any] = await call(
        connection,
        "claim_batch",
        p_enterprise_id=OURS,
        p_notification_ids=ids,
        p_claim_owner=owner,
        p_lease_seconds=60,
    )
    return answer


async def answer_of(connection: Connection, statement: str, *arguments: Any) -> Any:
    """The answer as Python's json reads it: what it cannot would have been refused by the connection."""
    return await connection.fetchval(statement, *arguments)


@pytest.mark.parametrize("value", [DEEP, HUGE, f"jsonb_build_object('a', {HUGE})"], ids=["deep", "huge", "member"])
@pytest.mark.parametrize("column", ["payload", "overrides"])
async def test_json_travels_as_text_so_that_no_row_can_spoil_the_answer(
    connection: Connection, column: str, value: str
) -> None:
    poison = await insert_notification(connection)
    good = await insert_notification(connection, payload={"name": "Ada"})
    await update(connection, [poison], f"{column} = {value}")

    answer = await claim_batch(connection, [poison, good])

    assert [row["id"] for row in answer["notifications"]] == [poison, good]
    assert isinstance(answer["notifications"][0][column], str)
    assert json.loads(answer["notifications"][1]["payload"]) == {"name": "Ada"}


@pytest.mark.parametrize(
    ("assignment", "column"),
    [
        ("payload = to_jsonb(repeat('x', 60000000))", "payload"),
        ("payload = to_jsonb((select string_agg(md5(i::text), '') from generate_series(1, 30000) i))", "payload"),
        ("overrides = to_jsonb(repeat('x', 800000))", "overrides"),
        ("recipients = array_fill(recipients[1], array[100001])", "recipients"),
    ],
)  # fmt: skip
async def test_what_is_too_large_never_leaves_the_database(
    connection: Connection, assignment: str, column: str
) -> None:
    poison = await insert_notification(connection)
    good = await insert_notification(connection)
    await update(connection, [poison], assignment)

    answer = await claim_batch(connection, [poison, good])

    marked, row = answer["notifications"]
    assert marked["unreadable"] == {"column": column, "problem": "too_large"}
    assert not {"payload", "overrides", "recipients"} & set(marked)
    assert (row["id"], row["payload"]) == (good, "{}")
    assert len(json.dumps(answer)) < 2_000


@pytest.mark.parametrize("instant", NEVER)
async def test_a_row_that_can_never_fall_due_is_found_and_claimed_to_be_ended(
    connection: Connection, instant: str
) -> None:
    never = await insert_notification(connection)
    await update(connection, [never], f"scheduled_for = {instant}")

    [page] = await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=10)
    scheduled = await call(connection, "due_scheduled", p_enterprise_id=OURS, p_limit=10)
    [shown] = await call(connection, "notifications_to_trigger", p_enterprise_ids=[OURS], p_notification_ids=[never])
    answer = await claim_batch(connection, [never])

    assert (page["notification_ids"], page["next_scheduled_at"]) == ([never], None)
    assert (scheduled["due"], scheduled["next_due_at"], scheduled["has_more"]) == ([never], None, False)
    assert (shown["due"], shown["scheduled_for"]) == (True, "9999-12-01T00:00:00+00:00")
    [marked] = answer["notifications"]
    assert marked["unreadable"] == {"column": "scheduled_for", "problem": "out_of_range"}
    status = "select notification_status::text from notify.ent_notification where id = $1"
    assert await connection.fetchval(status, never) == "PROCESSING"


@pytest.mark.parametrize("instant", NEVER)
async def test_code_from_before_is_kept_from_a_row_that_can_never_fall_due(
    connection: Connection, instant: str
) -> None:
    never, good = [await insert_notification(connection) for _ in range(2)]
    await update(connection, [never], f"scheduled_for = {instant}")

    answer = await call(
        connection,
        "claim_notifications",
        p_enterprise_id=OURS,
        p_notification_ids=[never, good],
        p_claim_owner="owner",
        p_lease_seconds=60,
    )

    assert [row["id"] for row in answer["notifications"]] == [good]


@pytest.mark.parametrize("instant", ["'-infinity'", "'0044-03-15 00:00Z BC'"])
async def test_a_row_scheduled_for_before_all_time_is_due(connection: Connection, instant: str) -> None:
    long_due = await insert_notification(connection)
    await update(connection, [long_due], f"scheduled_for = {instant}")

    scheduled = await call(connection, "due_scheduled", p_enterprise_id=OURS, p_limit=10)
    answer = await claim_batch(connection, [long_due])

    assert scheduled["due"] == [long_due]
    assert "unreadable" not in answer["notifications"][0]


@pytest.mark.parametrize(("instant", "expired"), [("'infinity'", False), ("'-infinity'", True)])
async def test_a_row_to_be_delivered_before_an_infinity_is_never_or_always_too_late(
    connection: Connection, instant: str, expired: bool
) -> None:
    notification_id = await insert_notification(connection)
    await update(connection, [notification_id], f"deliver_before = {instant}")

    answer = await claim_batch(connection, [notification_id])

    assert answer["notifications"][0]["expired"] is expired


@pytest.mark.parametrize("lease", [*NEVER, "now() + interval '3 days'"])
async def test_a_lease_without_end_holds_nothing(connection: Connection, lease: str) -> None:
    stuck = await insert_notification(connection, notification_status="PROCESSING", claim_owner="nobody")
    retracted = await insert_notification(connection, notification_status="RETRACTED", claim_owner="nobody")
    held = await insert_notification(
        connection, notification_status="PROCESSING", claim_owner="somebody", lease_expires_at=TOMORROW
    )
    await update(connection, [stuck, retracted], f"lease_expires_at = {lease}")
    ids = [stuck, retracted, held]

    [page] = await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=10)
    unaccounted = await call(connection, "unaccounted", p_enterprise_ids=[OURS], p_older_than_seconds=0)
    cancellable = await call(connection, "retractions_to_cancel", p_enterprise_id=OURS, p_notification_ids=ids)
    recorded = await call(
        connection,
        "record_cancellations",
        p_enterprise_id=OURS,
        p_cancellations=[{"id": retracted, "transaction_id": "t", "cancellation": {"settled": False}}],
    )
    answer = await claim_batch(connection, ids)

    assert (page["notification_ids"], page["expired"], page["uncancelled"]) == ([stuck], 1, [retracted])
    assert unaccounted["rows"] == 1
    assert [row["id"] for row in cancellable] == recorded["recorded"] == [retracted]
    assert [row["id"] for row in answer["notifications"]] == [stuck]


@pytest.mark.parametrize("instant", IMPOSSIBLE)
async def test_health_reads_rows_whose_every_instant_is_impossible(connection: Connection, instant: str) -> None:
    """A row nobody takes up counts as late at once; one that ended at such a time is not the latest for ever."""
    due, failed, sent, honest = [await insert_notification(connection) for _ in range(4)]
    written = f"created_at = {instant}, updated_at = {instant}"
    await update(connection, [due], written)
    await update(connection, [failed], f"notification_status = 'FAILED', error_details = '{{}}', {written}")
    await update(connection, [sent], f"notification_status = 'SENT', attempts = 1, created_at = {instant}")
    await update(connection, [honest], "notification_status = 'FAILED', error_details = '{\"code\": \"expired\"}'")
    await connection.execute(f"insert into notify.scheduler_pass values ($1, 'cron', {instant}, {instant})", OURS)

    observed = await answer_of(connection, "select notify.health_observation(array[$1], 60, 1)", OURS)
    unaccounted = await call(connection, "unaccounted", p_enterprise_ids=[OURS], p_older_than_seconds=60)
    passes = await call(connection, "scheduler_passes", p_enterprise_ids=[OURS])

    [late] = observed["due"]
    assert late["rows"] == 1
    assert late["oldest_age_seconds"] > 60
    assert unaccounted["rows"] == 1
    assert [failure["notification_id"] for failure in observed["failures"]] == [honest]
    assert (observed["recent"]["sent"], observed["recent"]["failed"]) == (1, 1)
    assert isinstance(observed["passes"][0]["overdue_seconds"], int | float)
    assert observed["passes"][0]["last_pass_at"][:4] in {"9999", "0001"}
    assert passes[0]["next_due_at"][:4] in {"9999", "0001"}


@pytest.mark.parametrize("instant", IMPOSSIBLE)
async def test_operators_are_shown_rows_of_any_instant_and_any_details(connection: Connection, instant: str) -> None:
    notification_id = await insert_notification(connection)
    columns = ("created_at", "updated_at", "processed_at", "scheduled_for", "deliver_before", "retracted_at")
    assignment = ", ".join(f"{column} = {instant}" for column in (*columns, "lease_expires_at"))
    details = f"jsonb_build_object('code', repeat('c', 70000), 'deep', {DEEP})"
    await update(connection, [notification_id], f"{assignment}, error_details = {details}, cancellation = {HUGE}")
    await update(connection, [notification_id], "notification_status = 'FAILED', transaction_id = repeat('t', 5000)")

    shown = await call(connection, "trace_notification", p_notification_id=notification_id)
    ended = await answer_of(connection, "select notify.ended_notifications('2020-01-01Z', 0, null, 10)")
    replayed = await answer_of(connection, "select notify.replay_notifications($1, null, null, 10, true)", OURS)

    assert {shown[column][:4] for column in columns} <= {"9999", "0001"}
    assert shown["error_details"] == {"code": "c" * 100, "message": "error_details is larger than 64 KB"}
    assert shown["cancellation"] is None
    assert len(shown["transaction_id"]) == 1_000
    assert ended["ended"] == [], "what ends at no time would be the end of every page"
    assert [code["code"] for code in replayed["codes"]] == ["c" * 100]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (HUGE, "trigger_config holds a number of 300 digits"),
        (DEEP, "trigger_config nests deeper than 100"),
        ("jsonb_build_object('cron', repeat('* ', 40000))", "trigger_config is larger than 64 KB"),
    ],
)
async def test_a_rule_whose_configuration_cannot_be_read_says_so_beside_others(
    connection: Connection, config: str, reason: str
) -> None:
    workflow_id = await insert_workflow(connection)
    poison, good = [await insert_rule(connection, workflow_id) for _ in range(2)]
    await update_rule(connection, poison, f"trigger_config = {config}")

    answer = await call(connection, "cron_rules", p_enterprise_id=OURS)
    shown = await call(connection, "trace_rule", p_rule_id=poison)

    unreadable, readable = answer["rules"]
    assert (unreadable["id"], unreadable["trigger_config"], unreadable["unreadable"]) == (poison, None, reason)
    assert (readable["id"], readable["unreadable"]) == (good, None)
    assert (shown["rule"]["trigger_config"], shown["rule"]["unreadable"]) == (None, reason)


@pytest.mark.parametrize("instant", IMPOSSIBLE)
async def test_a_rule_whose_progress_is_impossible_begins_anew(connection: Connection, instant: str) -> None:
    workflow_id = await insert_workflow(connection)
    first, second = [await insert_rule(connection, workflow_id) for _ in range(2)]
    await update_rule(connection, first, f"schedule_changed_at = {instant}")
    await connection.execute(f"insert into notify.rule_progress values ($1, {instant})", second)

    answer = await call(connection, "cron_rules", p_enterprise_id=OURS)

    assert [rule["fired_through"] for rule in answer["rules"]] == [answer["now"]] * 2


async def test_a_rule_whose_payload_is_too_large_fires_nothing_and_says_so(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    rule_id = await insert_rule(connection, workflow_id)
    await update_rule(
        connection, rule_id, "rule_payload = rule_payload || jsonb_build_object('x', repeat('x', 6000000))"
    )
    [rule] = (await call(connection, "cron_rules", p_enterprise_id=OURS))["rules"]
    firing = {
        "rule_id": rule_id,
        "instants": ["2026-03-02T09:00:00Z"],
        "decided_through": rule["fired_through"],
        "expected_fired_through": rule["fired_through"],
    }

    fired = await call(connection, "fire_rules", p_enterprise_id=OURS, p_firings=[firing], p_next_due_at=None)

    assert fired["fired"] == 0
    assert (await read_rule(connection, rule_id))["schedule_error"] == "rule_payload is larger than 5 MB"


@pytest.mark.parametrize("report", [HUGE, DEEP, "'[]'", f"jsonb_build_object('listener', {DEEP})", "'7'"])
async def test_a_heartbeat_that_cannot_be_read_is_left_out(connection: Connection, report: str) -> None:
    for component, content in (("bad", report), ("good", '\'{"component_id": "good"}\'')):
        await connection.execute(
            "insert into notify.component_heartbeat (component_id, component, report)"
            f" values ('{component}', 'worker', {content})"
        )
    await connection.execute(
        "insert into notify.component_heartbeat values ('later', 'worker', 'infinity', '{\"component_id\": \"later\"}')"
    )

    looked = await answer_of(connection, "select notify.look_at_health('[]', 60, 60, 5)")

    assert [heartbeat["component_id"] for heartbeat in looked["heartbeats"]] == ["good"]


async def test_the_scaler_is_not_held_for_ever_and_forgets_what_cannot_be_read(connection: Connection) -> None:
    await connection.execute(
        f"insert into notify.scaler (pool, held_until, memory) values ('pool', 'infinity', {HUGE})"
    )

    begun = await call(connection, "begin_scaler_tick", p_pool="pool", p_hold_seconds=5.0)

    assert (begun["begun"], begun["memory"]) == (True, None)


async def test_extremes_of_every_integer_are_claimed(connection: Connection) -> None:
    for number, identity in enumerate((-5, 0, 9_223_372_036_854_775_807)):
        await connection.execute(
            "insert into notify.ent_notification (id, name, payload, recipients, publish_status, enterprise_id,"
            " attempts, chunks_sent) overriding system value"
            f" values ($1, 'extreme {number}', '{{}}', '{{}}', 'PUBLISH', '{OURS}', $2, $2)",
            identity,
            2_147_483_647 if number else -2_147_483_648,
        )

    [page] = await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=2)
    [rest] = await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=2, p_after_id=-1)
    answer = await claim_batch(connection, [*page["notification_ids"], *rest["notification_ids"]])

    assert page["notification_ids"] == [-5, 0]
    assert rest["notification_ids"] == [0, 9_223_372_036_854_775_807]
    assert [row["attempts"] for row in answer["notifications"]] == [1, 2_147_483_647, 2_147_483_647]


async def test_arrays_of_every_shape_leave_the_database_as_they_are(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    shapes = {
        "'{}'": [],
        "'{NULL}'": [None],
        "'{{EMAIL,SMS},{PUSH,CHAT}}'": [["EMAIL", "SMS"], ["PUSH", "CHAT"]],
        "'[5:6]={EMAIL,SMS}'": ["EMAIL", "SMS"],
        "null": None,
    }
    ids = []
    for shape in shapes:
        ids.append(await insert_notification(connection, notification_workflow_id=workflow_id))
        await update(connection, [ids[-1]], f"channels = {shape}")
    await connection.execute(
        "update notify.ent_notification_workflow set template_overrides = '[\"emailTemplateId\"]',"
        " default_channels = array_fill(default_channels[1], array[200]) where id = $1",
        workflow_id,
    )

    answer = await claim_batch(connection, ids)

    assert [row["channels"] for row in answer["notifications"]] == list(shapes.values())
    [workflow] = answer["workflows"].values()
    assert (workflow["templates"], workflow["default_channels"]) == ({}, "too many")


async def test_a_template_is_cut_where_the_renderer_refuses_it_and_all_together_are_bounded(
    connection: Connection,
) -> None:
    template_ids = [await insert_template(connection, f"t{number}") for number in range(50)]
    await connection.execute(
        "update notify.ent_notification_template set body_template = repeat('ü', 3000000) where id = $1",
        template_ids[0],
    )
    await connection.execute(
        "update notify.ent_notification_template set body_template = repeat('x', 190000) where id = any($1)",
        template_ids[1:],
    )
    includes = "".join(f'{{% xnovu_render "t{number}" %}}' for number in range(50))
    root = await insert_template(connection, "root", includes)
    workflow_id = await insert_workflow(connection, template_overrides={"emailTemplateId": root})
    notification_id = await insert_notification(connection, notification_workflow_id=workflow_id)

    answer = await claim_batch(connection, [notification_id])

    lengths = [len(template["body_template"]) for template in answer["templates"]]
    assert lengths[0] == 200_001
    assert sum(lengths) < 8 * 1024 * 1024
    assert len(lengths) < 51
    assert answer["templates_withheld"] is True


async def test_references_to_templates_are_texts_of_a_bounded_length(connection: Connection) -> None:
    workflow_id = await insert_workflow(
        connection,
        template_overrides={"emailTemplateId": "k" * 100_000, "smsTemplateId": {"a": [1]}, "chatTemplateId": None},
    )
    notification_id = await insert_notification(connection, notification_workflow_id=workflow_id)

    [workflow] = (await claim_batch(connection, [notification_id]))["workflows"].values()

    assert workflow["templates"] == {"emailTemplateId": "k" * 501, "smsTemplateId": '{"a": [1]}'}


async def test_a_transaction_id_that_novu_cannot_bear_is_not_asked_about(connection: Connection) -> None:
    notification_id = await insert_notification(
        connection, notification_status="RETRACTED", transaction_id="t" * 100_000
    )

    [row] = await call(connection, "retractions_to_cancel", p_enterprise_id=OURS, p_notification_ids=[notification_id])

    assert row["transaction_id"] == f"xnovu.{OURS}.{notification_id}"
