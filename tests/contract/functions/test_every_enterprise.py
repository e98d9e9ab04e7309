"""The trigger function with DAEMON_ENTERPRISE_IDS=*: a key's list holds, and who has none may act for everybody."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from shared.shards import shard_of
from stack.sample_data import seed_enterprise
from tests.contract.functions.bench import OPERATOR, TENANT, Bench, open_function
from tests.contract.functions.test_trigger_refusals import assert_problem


@pytest.fixture
async def everybodys(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    environment = {**bench.environment, "DAEMON_ENTERPRISE_IDS": "*"}
    async with open_function("trigger", environment, monkeypatch) as trigger:
        yield trigger


async def test_an_operator_sends_for_whoever_has_come_and_a_tenant_for_his_own(
    bench: Bench, everybodys: httpx.AsyncClient
) -> None:
    newcomer = await seed_enterprise(bench.connection, f"newcomer-{uuid4().hex[:12]}")
    theirs, ours = await bench.insert(newcomer), await bench.insert(bench.ours)
    key = await bench.connection.fetchval(
        "select workflow_key from notify.ent_notification_workflow where id = $1", newcomer.static
    )
    made = bench.new(enterpriseId=newcomer.enterprise_id, workflowKey=key)

    by_operator = await everybodys.post("/trigger", json={"notificationId": theirs}, headers=OPERATOR)
    created = await everybodys.post("/trigger", json=made, headers=OPERATOR)
    by_tenant = await everybodys.post("/trigger", json={"notificationId": ours}, headers=TENANT)
    of_others = await everybodys.post("/trigger", json={"notificationId": theirs}, headers=TENANT)
    made_for_others = await everybodys.post("/trigger", json=made, headers=TENANT)

    assert by_operator.json()["workflowId"] == f"notification-processing/{newcomer.enterprise_id}/{theirs}"
    assert (created.status_code, by_tenant.status_code) == (200, 200)
    assert assert_problem(of_others, 404, "notification_not_found")["notificationIds"] == [theirs]
    assert_problem(made_for_others, 403, "enterprise_not_allowed")


async def test_rows_of_nobody_are_not_there_for_an_operator_either(bench: Bench, everybodys: httpx.AsyncClient) -> None:
    nobodys = await bench.connection.fetchval(
        "insert into notify.ent_notification (name, payload, recipients, publish_status)"
        " values (gen_random_uuid(), '{}', '{ada}', 'PUBLISH') returning id"
    )

    sent = await everybodys.post("/trigger", json={"notificationId": nobodys}, headers=OPERATOR)
    made = await everybodys.post("/trigger", json=bench.new(enterpriseId=f"x{uuid4().hex}"), headers=OPERATOR)

    assert_problem(sent, 404, "notification_not_found")
    assert_problem(made, 404, "workflow_not_found")


async def test_a_notification_for_later_is_left_to_the_scheduler_of_the_shard(
    bench: Bench, everybodys: httpx.AsyncClient
) -> None:
    later = datetime.now(UTC) + timedelta(days=1)

    answer = await everybodys.post("/trigger", json=bench.new(scheduledFor=later.isoformat()), headers=TENANT)

    scheduler = f"scheduled-notification///{shard_of(bench.ours.enterprise_id)}"
    assert (answer.status_code, answer.json()["workflowId"]) == (200, scheduler)
    by_operator = await everybodys.get("/trigger", params={"workflowId": scheduler}, headers=OPERATOR)
    by_tenant = await everybodys.get("/trigger", params={"workflowId": scheduler}, headers=TENANT)
    by_a_lists_operator = await bench.trigger.get("/trigger", params={"workflowId": scheduler}, headers=OPERATOR)
    assert by_operator.json()["status"] == "RUNNING"
    assert_problem(by_tenant, 404, "run_not_found")
    assert_problem(by_a_lists_operator, 404, "run_not_found")


@pytest.mark.parametrize("headers", [OPERATOR, TENANT], ids=["operator", "tenant"])
async def test_of_an_enterprise_that_is_paused_nothing_is_taken_until_it_is_resumed(
    bench: Bench, headers: dict[str, str]
) -> None:
    serve = "select notify.serve_enterprise($1, $2)"
    row_id = await bench.insert(bench.ours)
    key = {"Idempotency-Key": "first"}
    first = await bench.trigger.post("/trigger", json=bench.new(), headers={**headers, **key})
    await bench.connection.execute(serve, bench.ours.enterprise_id, False)
    before = await bench.count()

    created = await bench.trigger.post("/trigger", json=bench.new(), headers=headers)
    sent = await bench.trigger.post(
        "/trigger", json={"notificationId": row_id}, headers={**headers, "Idempotency-Key": "second"}
    )
    tried = await bench.trigger.post("/trigger", json={"notificationId": row_id, "dryRun": True}, headers=headers)
    repeated = await bench.trigger.post("/trigger", json=bench.new(), headers={**headers, **key})

    for answer in (created, sent, tried):
        assert_problem(answer, 409, "enterprise_not_served")
    assert await bench.count() == before
    assert repeated.json() == first.json()
    await bench.connection.execute(serve, bench.ours.enterprise_id, True)
    resumed = await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=headers)
    assert resumed.status_code == 200
