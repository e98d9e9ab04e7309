"""Whatever breaks shows in the daemon's health within 15 s, and health recovers by itself when it is mended."""

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port
from tests.e2e import rows, rules
from tests.e2e.program import Program
from tests.e2e.promptness import promptly
from tests.e2e.system import SHORT_TIMES, System, eventually

SHOWS_WITHIN_SECONDS = 15.0
RECOVERS_WITHIN_SECONDS = 30.0
RULES_FIRE_WITHIN_SECONDS = 40.0

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


class Daemon:
    """A running daemon with its stack, and what it answers about its health."""

    def __init__(self, system: System, port: int) -> None:
        self.system = system
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)

    async def health(self) -> dict[str, Any]:
        """The body of /health; its status code must be the one that goes with it."""
        answer = await self._http.get("/health")
        health: dict[str, Any] = answer.json()
        assert answer.status_code == (503 if health["status"] == "unhealthy" else 200)
        return health

    async def status(self) -> dict[str, Any]:
        """The body of /status."""
        status: dict[str, Any] = (await self._http.get("/status")).json()
        return status

    async def problems(self) -> dict[str, str]:
        """By component, as /status has them; the last of each."""
        return {problem["component"]: problem["reason"] for problem in (await self.status())["problems"]}

    async def is_ready(self) -> bool:
        try:
            return (await self._http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def is_healthy(self) -> bool:
        return bool((await self.health())["status"] == "healthy")

    async def recovers(self) -> None:
        await promptly(self.is_healthy, within=RECOVERS_WITHIN_SECONDS, what="healthy again")

    async def shows(self, is_shown: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Wait until /health shows it, which is to be soon."""

        async def check() -> bool:
            return is_shown(await self.health())

        await promptly(check, within=SHOWS_WITHIN_SECONDS, what=what)

    async def aclose(self) -> None:
        await self._http.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    directory = tmp_path_factory.mktemp("health")
    port = free_port()
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, SHORT_TIMES)
        await system.seed()
        with Program(
            "daemon", directory, {**system.environment, "DAEMON_HEALTH_PORT": str(port), "FEED": "postgres_changes"}
        ) as program:
            running = Daemon(system, port)
            await eventually(running.is_ready, what="the daemon is ready")
            yield running
            program.require_running()
            await running.aclose()
        await system.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def healthy(daemon: Daemon) -> Daemon:
    await daemon.recovers()
    return daemon


async def test_health_has_the_fields_of_the_contract(healthy: Daemon) -> None:
    health = await healthy.health()

    assert health.pop("uptime") >= 1
    assert health == {
        "status": "healthy",
        "components": {
            "subscriptions": {"total": 3, "active": 3, "failed": 0, "reconnecting": 0},
            "ruleEngine": "healthy",
            "queue": "healthy",
            "temporal": "healthy",
        },
        "enterprise_status": {"acme": "subscribed", "globex": "subscribed", "initech": "subscribed"},
        "temporal_status": {"status": "healthy", "orchestrationWorkflow": "RUNNING"},
    }


async def test_a_frozen_websocket_shows_and_heals(healthy: Daemon) -> None:
    await healthy.system.edge_fault("freeze", seconds=60)

    await healthy.shows(lambda it: it["components"]["subscriptions"]["active"] == 0, "no subscription active")

    assert (await healthy.health())["status"] == "degraded"
    await healthy.system.edge.delete("/_faults")
    await healthy.recovers()


async def test_a_feed_that_confirms_and_brings_nothing_shows_is_never_healthy_and_heals(healthy: Daemon) -> None:
    await healthy.system.edge_fault("poller_gives_up")
    await healthy.system.edge_fault("kill_slot")

    await healthy.shows(lambda it: it["components"]["subscriptions"]["active"] == 0, "no subscription active")

    assert "no beat of the canary came back" in (await healthy.problems())["subscriptions"]
    watched_until = time.monotonic() + SHOWS_WITHIN_SECONDS
    while time.monotonic() < watched_until:
        assert not await healthy.is_healthy()
        assert not await healthy.is_ready()
    await healthy.system.edge.delete("/_faults")
    await healthy.recovers()


async def test_a_table_that_is_not_published_any_more_is_named_with_its_remedy_and_heals(healthy: Daemon) -> None:
    await rows.execute(healthy.system, "alter publication supabase_realtime drop table notify.doorbell")

    await healthy.shows(lambda it: it["status"] == "degraded", "degraded")

    status = await healthy.status()
    assert len(status["feed"]["flaws"]) == 1
    what, remedy = status["feed"]["flaws"][0].split("; mend it with: ")
    assert what == "notify.doorbell is not in publication supabase_realtime"
    await rows.execute(healthy.system, remedy)
    await healthy.recovers()


async def test_temporal_away_shows_and_heals(healthy: Daemon) -> None:
    await healthy.system.stack.temporal.kill()

    await healthy.shows(lambda it: it["components"]["temporal"] != "healthy", "Temporal unwell")
    await healthy.shows(lambda it: it["temporal_status"]["status"] == "unhealthy", "Temporal unhealthy")

    assert "temporal" in await healthy.problems()
    await healthy.system.stack.temporal.start()
    await healthy.recovers()


async def test_a_database_that_was_away_shows_and_what_is_written_before_anything_is_heard_again_goes_out(
    healthy: Daemon,
) -> None:
    system = healthy.system
    await system.stack.postgres.stop()

    await healthy.shows(lambda it: it["status"] == "unhealthy", "unhealthy")

    assert (await healthy.health())["components"]["queue"] == "unhealthy"
    assert "supabase" in await healthy.problems()
    assert "supabase: " in await system.says("doctor", "supabase")
    await system.stack.postgres.start()
    [rule] = await rules.insert(system, system.enterprises[0], rules.EVERY_SECOND)
    written = await system.insert(3)
    written_at = datetime.now(UTC)
    await healthy.recovers()
    await rules.fired_through(system, rule, written_at, within=RULES_FIRE_WITHIN_SECONDS)
    assert {row.status for row in (await rows.settled(system, written)).values()} == {"SENT"}
    await rules.pause(system, rule)
    await eventually(system.is_settled, what="what the rule fired is settled")


async def test_novu_refusing_shows_and_heals(healthy: Daemon) -> None:
    system = healthy.system
    await system.sink_faults({"kind": "unauthorized", "requests": None})
    refused = await system.insert(1)

    await healthy.shows(lambda it: it["components"]["queue"] == "degraded", "the queue degraded")

    assert "HTTP 401" in (await healthy.problems())["novu"]
    await system.sink.delete("/_sink/faults")
    await rows.settled(system, [*refused, *await system.insert(1)])
    await healthy.recovers()


async def test_a_stopped_orchestration_shows_until_it_is_started(healthy: Daemon) -> None:
    environment = healthy.system.environment
    client = await Client.connect(environment["TEMPORAL_ADDRESS"])
    await client.get_workflow_handle("master-orchestration").signal("stop")

    await healthy.shows(
        lambda it: it["temporal_status"]["orchestrationWorkflow"] == "COMPLETED", "the orchestration is completed"
    )

    assert (await healthy.health())["components"]["ruleEngine"] == "unhealthy"
    await client.start_workflow(
        "MasterOrchestrationWorkflow",
        {"enterprise_ids": ["acme", "globex", "initech"]},
        id="master-orchestration",
        task_queue="xnovu-notification-processing",
    )
    await healthy.recovers()
