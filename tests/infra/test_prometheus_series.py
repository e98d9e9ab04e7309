"""A daemon that has delivered, failed and repeated has every series that rules and panels for Prometheus ask for."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port
from tests.e2e import rows
from tests.e2e.program import Program
from tests.e2e.system import SHORT_TIMES, System, eventually
from tests.infra.observability import promql
from tests.infra.test_observability_metrics import made_queries

pytestmark = pytest.mark.slow

ONLY_WHEN_SOMETHING_IS_WRONG = {
    "temporal_workflow_task_execution_failed_total": {"failure_reason", "workflow_type"},
    "xnovu_claims_lost_total": set[str](),
    "xnovu_worker_not_served_total": set[str](),
}
"""What these have is seen elsewhere: of Temporal in test_temporal_sdk_metrics.py, of the worker in its unit tests."""

OF_FUNCTIONS = {"xnovu_webhook_events_total": {"xnovu_result"}}
"""A daemon runs none; that these come is seen in their unit tests."""

ONLY_AFTER_MONTHS = {"temporal_workflow_continue_as_new_total": set[str]()}


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with LocalStack(tmp_path / "stack", novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, tmp_path, SHORT_TIMES, ("acme",))
        try:
            await system.seed()
            yield system
        finally:
            await system.stop()


async def test_every_series_that_is_asked_for_comes(system: System, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    [acme] = system.enterprises
    environment = {**system.environment, "DAEMON_HEALTH_PORT": str(port), "NOVU_DELIVERY": "activity"}
    with Program("daemon", tmp_path, environment):
        async with httpx.AsyncClient(base_url=url) as daemon:
            await eventually(lambda: _is_ready(daemon), what="the daemon is ready")
            await system.sink_faults({"kind": "server_error", "status": 503, "requests": 1})
            sent = {"notification_workflow_id": acme.static, "channels": ["EMAIL"]}
            failed = {"notification_workflow_id": acme.broken_template, "channels": ["EMAIL"]}
            ids = await rows.insert(system, "acme", sent, failed)
            found = await rows.settled(system, ids)
            assert sorted(row.status for row in found.values()) == ["FAILED", "SENT"]

            async def have_all_come() -> bool:
                return _missing(await _series(daemon)) == []

            with suppress(AssertionError):  # the next line says which have not
                await eventually(have_all_come, what="every series has come")
            assert _missing(await _series(daemon)) == []


async def _is_ready(daemon: httpx.AsyncClient) -> bool:
    try:
        return (await daemon.get("/readyz")).is_success
    except httpx.TransportError:
        await asyncio.sleep(0.1)
        return False


async def _series(daemon: httpx.AsyncClient) -> Mapping[str, set[str]]:
    """The labels of each, by its name."""
    found: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families((await daemon.get("/metrics")).text):
        for sample in family.samples:
            found[sample.name] |= sample.labels.keys()
    return found


def _missing(there: Mapping[str, set[str]]) -> list[str]:
    series = {**ONLY_WHEN_SOMETHING_IS_WRONG, **OF_FUNCTIONS, **ONLY_AFTER_MONTHS, **there}
    return sorted(
        {
            f"{selected.name}{sorted(selected.labels)}"
            for asked in made_queries()
            for selected in promql.selected(asked.expr)
            if not (selected.name in series and selected.labels.keys() <= series[selected.name])
        }
    )
