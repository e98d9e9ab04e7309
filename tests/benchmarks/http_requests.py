"""HTTP requests that one full batch takes, as the edge and the Novu sink count them."""

from dataclasses import dataclass

from stack.sample_data import insert_notifications, sample_payload
from tests.benchmarks.sink import count_requests
from tests.benchmarks.system import System
from tests.benchmarks.waiting import wait_until_settled

WORKER_PATHS = ("/rpc/claim_notifications", "/rpc/record_outcomes", "/rpc/renew_claims")


@dataclass(frozen=True)
class FullBatch:
    """Requests of one batch of 100, and its rows' ids."""

    http_requests: int
    notification_ids: list[int]


async def measure(system: System) -> FullBatch:
    """Send exactly one batch of 100 and count."""
    before = await _count(system)
    enterprise = system.enterprises[0]
    rows = [{"notification_workflow_id": enterprise.static, "payload": sample_payload(number)} for number in range(100)]
    ids = await insert_notifications(system.database, enterprise.enterprise_id, rows)
    await wait_until_settled(system, ids)
    return FullBatch(await _count(system) - before, ids)


async def _count(system: System) -> int:
    """The worker's requests so far, to Supabase and to Novu."""
    response = await system.http.get(f"{system.stack.edge.url}/health")
    response.raise_for_status()
    to_supabase: dict[str, int] = response.json()["rest_requests"]
    return sum(to_supabase.get(path, 0) for path in WORKER_PATHS) + await count_requests(system)
