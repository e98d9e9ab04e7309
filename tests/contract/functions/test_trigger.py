"""What the trigger function does, on the real database and the real Temporal."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from tests.contract.functions.bench import OPERATOR, TENANT, Bench, open_function


async def test_a_row_that_exists_is_sent_by_the_workflow_the_answer_names(bench: Bench, temporal: Client) -> None:
    row_id = await bench.insert(bench.ours)

    answer = await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=TENANT)

    assert answer.status_code == 200
    body = answer.json()
    run = await temporal.get_workflow_handle(body["workflowId"], run_id=body["runId"]).describe()
    assert body == {
        "success": True,
        "workflowId": f"notification-processing/{bench.ours.enterprise_id}/{row_id}",
        "runId": run.run_id,
        "notificationIds": [row_id],
    }
    assert run.status is WorkflowExecutionStatus.RUNNING


@pytest.mark.parametrize("scheduled_for", ["infinity", "20000-01-01Z", "-infinity", "0044-03-15 00:00Z BC"])
async def test_a_row_of_an_instant_that_no_program_knows_is_handed_on_to_be_sent_or_ended(
    bench: Bench, scheduled_for: str
) -> None:
    row_id = await bench.insert(bench.ours)
    await bench.connection.execute(
        f"update notify.ent_notification set scheduled_for = '{scheduled_for}' where id = $1", row_id
    )

    answer = await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=TENANT)

    assert (answer.status_code, answer.json()["notificationIds"]) == (200, [row_id])
    assert answer.json()["workflowId"] == f"notification-processing/{bench.ours.enterprise_id}/{row_id}"


async def test_rows_of_one_enterprise_are_sent_by_one_workflow(bench: Bench) -> None:
    ids = [await bench.insert(bench.ours) for _ in range(3)]

    answer = await bench.trigger.post("/", json={"notificationIds": [*reversed(ids), ids[0]]}, headers=TENANT)

    assert (answer.status_code, answer.json()["notificationIds"]) == (200, ids)
    assert answer.json()["workflowId"].startswith(f"notification-processing/{bench.ours.enterprise_id}/{ids[0]}-")


async def test_triggering_again_what_is_being_sent_names_the_same_run(bench: Bench) -> None:
    row_id = await bench.insert(bench.ours)

    answers = [await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=TENANT) for _ in range(2)]

    assert answers[0].json() == answers[1].json()


async def test_rows_that_are_sent_are_named_and_start_nothing(bench: Bench, temporal: Client) -> None:
    sent = await bench.insert(bench.ours)
    await bench.connection.execute(
        "update notify.ent_notification set notification_status = 'SENT' where id = $1", sent
    )
    pending = await bench.insert(bench.ours)

    alone = await bench.trigger.post("/trigger", json={"notificationId": sent}, headers=TENANT)
    together = await bench.trigger.post("/trigger", json={"notificationIds": [sent, pending]}, headers=TENANT)

    assert (alone.status_code, alone.json()) == (
        200,
        {"success": True, "workflowId": None, "runId": None, "notificationIds": [sent], "alreadySent": [sent]},
    )
    assert together.json()["alreadySent"] == [sent]
    assert together.json()["workflowId"] == f"notification-processing/{bench.ours.enterprise_id}/{pending}"
    with pytest.raises(RPCError, match="not found"):
        await temporal.get_workflow_handle(f"notification-processing/{bench.ours.enterprise_id}/{sent}").describe()


async def test_a_caller_above_his_rate_is_told_when_to_come_back_and_others_are_served(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {"FUNCTIONS_TRIGGER_CALLS_PER_SECOND": "0.01", "FUNCTIONS_TRIGGER_BURST": "3"}
    async with open_function("trigger", {**bench.environment, **slow}, monkeypatch) as trigger:
        answers = [await trigger.post("/trigger", json=bench.new(), headers=TENANT) for _ in range(4)]
        other = await trigger.post("/trigger", json=bench.new(), headers=OPERATOR)
        looks = await trigger.get("/trigger", params={"workflowId": "x"}, headers=TENANT)

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert 90 <= int(answers[3].headers["Retry-After"]) <= 100
    assert (other.status_code, looks.status_code) == (200, 429)


async def test_a_notification_is_made_as_asked_and_sent(bench: Bench, temporal: Client) -> None:
    body = bench.new(recipients=["ada", "bob"], payload={"a": [1, None]}, overrides={"email": {"subject": "x"}})

    answer = await bench.trigger.post("/trigger", json=body, headers=TENANT)

    assert answer.status_code == 200
    (row_id,) = answer.json()["notificationIds"]
    row = await bench.row(row_id)
    assert (row["enterprise_id"], row["notification_workflow_id"]) == (bench.ours.enterprise_id, bench.ours.static)
    assert (row["recipients"], row["payload"]) == (["ada", "bob"], '{"a": [1, null]}')
    assert row["overrides"] == '{"email": {"subject": "x"}}'
    assert (row["publish_status"], row["notification_status"], row["scheduled_for"]) == ("PUBLISH", "PENDING", None)
    await temporal.get_workflow_handle(answer.json()["workflowId"], run_id=answer.json()["runId"]).describe()


async def test_a_notification_for_later_is_left_to_the_enterprises_scheduler(bench: Bench) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)

    answer = await bench.trigger.post("/trigger", json=bench.new(scheduledFor=later.isoformat()), headers=TENANT)

    body = answer.json()
    assert body["workflowId"] == f"scheduled-notification/{bench.ours.enterprise_id}"
    assert body["scheduledFor"] == later.isoformat().replace("+00:00", "Z")
    assert (await bench.row(body["notificationIds"][0]))["scheduled_for"] == later
    state = await bench.trigger.get("/trigger", params={"workflowId": body["workflowId"]}, headers=TENANT)
    assert (state.json()["runId"], state.json()["status"]) == (body["runId"], "RUNNING")


async def test_rows_of_which_some_wait_are_started_as_far_as_they_are_due(bench: Bench) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    waiting = await bench.insert(bench.ours, scheduled_for=later.isoformat())
    due = await bench.insert(bench.ours)

    answer = await bench.trigger.post("/trigger", json={"notificationIds": [waiting, due]}, headers=TENANT)
    alone = await bench.trigger.post("/trigger", json={"notificationId": waiting}, headers=TENANT)

    assert answer.json()["workflowId"] == f"notification-processing/{bench.ours.enterprise_id}/{due}"
    assert "scheduledFor" not in answer.json()
    assert alone.json()["scheduledFor"] == later.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("as_query", [True, False], ids=["query", "member"])
async def test_a_dry_run_checks_everything_and_changes_nothing(bench: Bench, temporal: Client, as_query: bool) -> None:
    row_id = await bench.insert(bench.ours)
    before = await bench.count()
    params = {"dryRun": "true"} if as_query else {}
    member = {} if as_query else {"dryRun": True}
    headers = {**TENANT, "Idempotency-Key": "dry"}

    sent = await bench.trigger.post(
        "/trigger", json={"notificationId": row_id, **member}, params=params, headers=headers
    )
    made = await bench.trigger.post("/trigger", json=bench.new(**member), params=params, headers=headers)
    refused = await bench.trigger.post(
        "/trigger", json=bench.new(workflowKey="unknown", **member), params=params, headers=headers
    )

    nothing = {"success": True, "workflowId": None, "runId": None, "dryRun": True}
    assert sent.json() == {**nothing, "notificationIds": [row_id]}
    assert made.json() == {**nothing, "notificationIds": []}
    assert refused.json()["code"] == "workflow_not_found"
    assert await bench.count() == before
    with pytest.raises(RPCError, match="not found"):
        await temporal.get_workflow_handle(f"notification-processing/{bench.ours.enterprise_id}/{row_id}").describe()


async def test_200_calls_at_once_with_repeated_keys_make_each_row_once(bench: Bench) -> None:
    before = await bench.count()

    async def call(number: int) -> tuple[int, str]:
        headers = {**OPERATOR, "Idempotency-Key": f"key-{number % 10}"}
        for _ in range(10):  # as an answer of `deadline_exceeded` asks for, on a busy machine
            answer = await bench.trigger.post(
                "/trigger", json=bench.new(payload={"number": number % 10}), headers=headers
            )
            if answer.status_code != 503:
                break
        assert answer.status_code == 200, answer.text
        return number % 10, answer.text

    answers = await asyncio.gather(*(call(number) for number in range(200)))

    assert len(set(answers)) == 10
    assert set(Counter(number for number, _ in answers).values()) == {20}
    assert await bench.count() - before == 10 * 2  # the row and its key


async def test_a_key_stands_for_one_request(bench: Bench) -> None:
    row_id = await bench.insert(bench.ours)
    headers = {**OPERATOR, "Idempotency-Key": "one"}
    first = await bench.trigger.post("/trigger", json=bench.new(), headers=headers)
    before = await bench.count()

    others = [
        await bench.trigger.post("/trigger", json=body, headers=headers)
        for body in (bench.new(recipients=["bob"]), {"notificationId": row_id})
    ]

    assert first.status_code == 200
    assert [(other.status_code, other.json()["code"]) for other in others] == [(409, "idempotency_conflict")] * 2
    assert await bench.count() == before


async def test_a_key_for_rows_that_exist_stands_for_one_request_too(bench: Bench) -> None:
    ids = [await bench.insert(bench.ours) for _ in range(2)]
    headers = {**TENANT, "Idempotency-Key": "rows"}

    first, repeated, other = [
        await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=headers)
        for row_id in (ids[0], ids[0], ids[1])
    ]

    assert first.json() == repeated.json()
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


async def test_a_repeat_is_answered_as_before_when_the_run_has_ended_and_the_workflow_was_withdrawn(
    bench: Bench, temporal: Client
) -> None:
    headers = {**TENANT, "Idempotency-Key": "late"}
    first = await bench.trigger.post("/trigger", json=bench.new(), headers=headers)
    await temporal.get_workflow_handle(first.json()["workflowId"]).terminate()
    await bench.connection.execute(
        "update notify.ent_notification_workflow set deactivated = true where id = $1", bench.ours.static
    )

    repeated = await bench.trigger.post("/trigger", json=bench.new(), headers=headers)

    assert (repeated.status_code, repeated.json()) == (200, first.json())


async def test_a_repeat_for_rows_that_exist_is_answered_as_before_when_one_has_failed(bench: Bench) -> None:
    row_id = await bench.insert(bench.ours)
    headers = {**TENANT, "Idempotency-Key": "failed-since"}
    first = await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=headers)
    await bench.connection.execute(
        "update notify.ent_notification set notification_status = 'FAILED' where id = $1", row_id
    )

    repeated = await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=headers)
    new = await bench.trigger.post(
        "/trigger", json={"notificationId": row_id}, headers={**headers, "Idempotency-Key": "n"}
    )

    assert (repeated.status_code, repeated.json()) == (200, first.json())
    assert (new.status_code, new.json()["code"]) == (409, "not_sendable")


async def test_enterprises_have_keys_of_their_own(bench: Bench) -> None:
    theirs = await bench.connection.fetchval(
        "select workflow_key from notify.ent_notification_workflow where id = $1", bench.theirs.static
    )
    headers = {**OPERATOR, "Idempotency-Key": "shared"}

    answers = [
        await bench.trigger.post("/trigger", json=body, headers=headers)
        for body in (bench.new(), bench.new(enterpriseId=bench.theirs.enterprise_id, workflowKey=theirs))
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["notificationIds"] != answers[1].json()["notificationIds"]


async def test_the_state_of_a_run_is_told_to_those_whose_it_is(bench: Bench) -> None:
    row_id = await bench.insert(bench.ours)
    sent = (await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=TENANT)).json()
    query = {"workflowId": sent["workflowId"], "runId": sent["runId"]}

    state = await bench.trigger.get("/trigger", params=query, headers=TENANT)
    other_run = await bench.trigger.get("/trigger", params={**query, "runId": str(uuid4())}, headers=TENANT)

    assert state.status_code == 200
    assert {**state.json(), "startedAt": None} == {
        **query,
        "status": "RUNNING",
        "startedAt": None,
        "closedAt": None,
        "result": None,
    }
    assert (other_run.status_code, other_run.json()["code"]) == (404, "run_not_found")
