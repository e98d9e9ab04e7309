"""What a run of deliveries looked like: when each came, how long it waited for a worker and how long that worked.

`make bench` records one to build/trace.json; `make simulate` lets scalers live through it. By itself,
`python -m tests.benchmarks.trace`, it records some single rows and a burst.
"""

import asyncio
import json
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW
from tests.benchmarks import burst, single
from tests.benchmarks.system import running_system

OUTPUT = Path("build/trace.json")
WARM_UP_ROWS = 300

_DELIVERIES = f"WorkflowType = '{NOTIFICATION_PROCESSING_WORKFLOW}' AND ExecutionStatus = 'Completed'"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One workflow; all in seconds, `at` from the first one's start."""

    at: float
    waited: float
    worked: float


async def record(temporal: Client, since: datetime) -> list[Delivery]:
    """The deliveries that were started since then and are over, in the order they came."""
    query = f"{_DELIVERIES} AND StartTime >= '{since.isoformat()}'"
    histories = [
        await temporal.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
        async for found in temporal.list_workflows(query)
    ]
    instants = sorted(map(_instants, histories))
    first = instants[0][0] if instants else 0.0
    return [
        Delivery(round(started - first, 4), round(taken - started, 4), round(ended - taken, 4))
        for started, taken, ended in instants
    ]


def write(deliveries: list[Delivery], file: Path = OUTPUT) -> None:
    """As JSON, a line each."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(asdict(delivery)) for delivery in deliveries)
    file.write_text(f"[\n{lines}\n]\n")


def read(file: Path) -> list[Delivery]:
    """What was written."""
    return [Delivery(**delivery) for delivery in json.loads(file.read_text())]


def _instants(history: WorkflowHistory) -> tuple[float, float, float]:
    """Unix seconds of a delivery's start, of the moment a worker took it up, and of its end."""
    taken = next(event for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)
    return tuple(  # type: ignore[return-value]
        event.event_time.ToNanoseconds() / 1e9 for event in (history.events[0], taken, history.events[-1])
    )


async def _record_some() -> list[Delivery]:
    with tempfile.TemporaryDirectory(prefix="xnovu-trace-") as directory:
        async with running_system(Path(directory)) as system:
            await burst.measure(system, WARM_UP_ROWS)
            since = await system.database.fetchval("select now()")
            await single.measure(system)
            await burst.measure(system)
            return await record(system.temporal, since)


if __name__ == "__main__":
    write(asyncio.run(_record_some()))
