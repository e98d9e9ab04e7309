"""DAEMON_ENTERPRISE_IDS=*: enterprises come, rest and come back while listener and worker run."""

import asyncio
import json
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from stack.sample_data import seed_enterprise
from tests.e2e import rows, rules
from tests.e2e.logs import read_log
from tests.e2e.program import Program
from tests.e2e.promptness import promptly
from tests.e2e.system import System, eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVE = "select notify.serve_enterprise($1, $2)"
SET = "select notify.set_enterprise($1, $2::text::jsonb)"
WAITING = (
    "select exists (select from notify.delivery_fault f join notify.ent_notification n on n.id = f.notification_id"
    " where n.enterprise_id::text = $1 and f.code = $2 and n.notification_status = 'PROCESSING')"
)
QUIET_SECONDS = 2.0
NEWCOMERS_FIRST_ROW_SECONDS = 5.0


async def _of_its_own(system: System) -> Client:
    """A namespace of its own: a deployment has one orchestration."""
    name = f"every-{uuid4().hex[:8]}"
    client = await Client.connect(system.stack.temporal.address, namespace=name, lazy=True)
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=86_400))
    await client.workflow_service.register_namespace(request)

    async def can_be_used() -> bool:
        try:
            await client.count_workflows()
        except RPCError:
            return False
        return True

    await eventually(can_be_used, what="the namespace can be used")
    return client


async def _production_key(system: System) -> str:
    """That of Novu's other environment."""
    environments = (await system.sink.get("/_sink/environments")).json()["environments"]
    [production] = [each for each in environments if each["name"] == "Production"]
    return str(production["key"])


async def test_an_enterprise_that_comes_is_served_and_one_that_rests_is_not(system: System, tmp_path: Path) -> None:
    temporal = await _of_its_own(system)
    environment = {
        **system.environment,
        "DAEMON_ENTERPRISE_IDS": "*",
        "TEMPORAL_NAMESPACE": temporal.namespace,
        "TEMPORAL_TASK_QUEUE": "of-everybody",
    }
    name = f"newcomer-{uuid4().hex[:8]}"

    async def fired() -> int:
        count = "select count(*) from notify.ent_notification where enterprise_id = $1 and name like 'rule %'"
        return int(await rows.execute(system, count, name))

    async def fires() -> bool:
        before = await fired()
        await asyncio.sleep(QUIET_SECONDS)
        return await fired() > before

    async def rests() -> bool:
        return not await fires()

    async def is_sent(notification_id: int) -> bool:
        return (await rows.read(system, [notification_id]))[notification_id].status == "SENT"

    async def is_known_to_be_heard() -> bool:
        """By the listener's heartbeat, which says its shards, and by the table, which says who is in them."""
        seen = json.loads(await rows.execute(system, "select notify.look_at_deployment('[]', 12, 60, 0, '{}', null)"))
        states = [each["listener"]["shard_states"] for each in seen["heartbeats"] if each["listener"]]
        # Another listener of this database, of a list, tells nothing of shards.
        return name in seen["everybody"]["served"] and dict.fromkeys(map(str, range(16)), "subscribed") in states

    async def is_to_be_heard() -> bool:
        seen = json.loads(await rows.execute(system, "select notify.look_at_deployment('[]', 12, 60, 0, '{}', null)"))
        return name in seen["everybody"]["served"]

    with (
        Program("listener", tmp_path, environment) as listener,
        Program("worker", tmp_path, environment) as worker,
    ):

        async def hears() -> bool:
            return any(line["event"] == "subscription_subscribed" for line in read_log(listener.log_file))

        await eventually(hears, what="those who are known are heard")
        connection = await system.connect()
        newcomer = await seed_enterprise(connection, name)
        await connection.close()
        [first] = await rows.insert(system, name, {"notification_workflow_id": newcomer.static})
        await promptly(lambda: is_sent(first), within=NEWCOMERS_FIRST_ROW_SECONDS, what="its first row is sent")
        await eventually(is_known_to_be_heard, what="health knows of it, and that it is heard")
        [rule] = await rules.insert(system, newcomer, rules.EVERY_SECOND)
        await eventually(fires, what="its rule fires")
        query = "WorkflowType = 'CronSchedulingWorkflow' AND ExecutionStatus = 'Running'"
        running = {execution.id async for execution in temporal.list_workflows(query)}
        assert running == {f"cron-scheduling///{shard}" for shard in range(16)}, "its shard's, not one of its own"

        await rows.execute(system, SERVE, name, False)
        await eventually(rests, what="its rule does not fire any more")
        [resting] = await rows.insert(system, name, {"notification_workflow_id": newcomer.static})
        assert await rests()
        assert not await is_to_be_heard(), "health does not ask for who rests"
        assert (await rows.read(system, [resting]))[resting].is_untouched

        await rows.execute(system, SERVE, name, True)
        await eventually(lambda: is_sent(resting), what="it is served again")
        await eventually(fires, what="its rule fires again")

        command = (sys.executable, "-m", "cli", "enterprise", "remove", name, "--json")
        removing = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
        answer, _ = await removing.communicate()
        removed = json.loads(answer)
        assert (removed["result"], removed["forgotten"], removed["left"]["rules"]) == ("removed", False, 1)
        await eventually(rests, what="the rule of who is removed does not fire any more")
        [left] = await rows.insert(system, name, {"notification_workflow_id": newcomer.static})
        assert await rests()
        assert (await rows.read(system, [left, first])).keys() == {left, first}, "its rows stay"
        assert (await rows.read(system, [left]))[left].is_untouched
        await rows.execute(system, "delete from notify.ent_notification_rule where id = $1", rule)
        listener.require_running()
        worker.require_running()


@pytest.mark.whole
async def test_settings_of_an_enterprise_s_own_are_its_alone_and_taken_up_without_a_restart(
    system: System, tmp_path: Path
) -> None:
    temporal = await _of_its_own(system)
    environment = {
        **system.environment,
        "DAEMON_ENTERPRISE_IDS": "*",
        "TEMPORAL_NAMESPACE": temporal.namespace,
        "TEMPORAL_TASK_QUEUE": "of-everybody-with-settings",
        "NOVU_SECRET_KEY__OTHER": await _production_key(system),
    }
    name = f"settled-{uuid4().hex[:8]}"

    async def is_sent(notification_id: int) -> bool:
        return (await rows.read(system, [notification_id]))[notification_id].status == "SENT"

    async def waits(code: str) -> bool:
        return bool(await rows.execute(system, WAITING, name, code))

    async def waits_for_its_rate() -> bool:
        return await waits("enterprise_rate")

    async def environments_of(notification_id: int) -> list[str]:
        """Those of Novu's in which it reached somebody."""
        transaction = "select transaction_id from notify.ent_notification where id = $1"
        prefix = str(await rows.execute(system, transaction, notification_id))
        truths = {
            name: await system.sink_truth(environment=name, transaction_id_prefix=prefix)
            for name in ("Development", "Production")
        }
        return [name for name, truth in truths.items() if truth["people"]]

    async def nothing_waits_for_its_rate() -> bool:
        return not await waits_for_its_rate()

    connection = await system.connect()
    own = await seed_enterprise(connection, name)
    other = await seed_enterprise(connection, f"other-{uuid4().hex[:8]}")
    await connection.close()
    [rule] = await rules.insert(system, own, rules.EVERY_SECOND)
    with (
        Program("listener", tmp_path, environment) as listener,
        Program("worker", tmp_path, environment) as worker,
    ):
        await rows.execute(system, SET, name, '{"novu_key_name": "NOVU_SECRET_KEY__LACKING"}')
        await eventually(lambda: waits("novu_key_missing"), what="its rows wait for a key that is not set")
        [keyed] = await rows.insert(system, name, {"notification_workflow_id": own.static})
        [others] = await rows.insert(system, other.enterprise_id, {"notification_workflow_id": other.static})
        await eventually(lambda: is_sent(others), what="another's row is sent meanwhile")
        assert not await is_sent(keyed)
        await rows.execute(system, SET, name, '{"novu_key_name": "NOVU_SECRET_KEY__OTHER"}')
        await eventually(lambda: is_sent(keyed), what="it is sent with the key that is set")
        assert await environments_of(keyed) == ["Production"]
        assert await environments_of(others) == ["Development"]

        await rows.execute(system, SET, name, '{"rate_per_second": 0.5}')
        await eventually(waits_for_its_rate, what="it is held to a rate of its own")
        [others] = await rows.insert(system, other.enterprise_id, {"notification_workflow_id": other.static})
        await eventually(lambda: is_sent(others), what="another's row is sent meanwhile")
        await rows.execute(system, SET, name, '{"rate_per_second": null}')
        await eventually(nothing_waits_for_its_rate, what="what waited for it goes out")
        await rows.execute(system, "delete from notify.ent_notification_rule where id = $1", rule)
        listener.require_running()
        worker.require_running()
