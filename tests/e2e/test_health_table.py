"""Each dependency in turn is killed, frozen, refuses, is slow or takes no key, with forty enterprises served by two
listeners and two workers: health names the cause in its first line, counts the rows held up, and recovers.

`make health-faults` prints the table that docs/health.md shows, and writes build/health_faults.json.
"""

import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.door import Ajar
from tests.e2e.health_deployment import ENTERPRISES, Deployment, running_deployment, stopped
from tests.e2e.system import eventually

NAMED_WITHIN_SECONDS = 15.0
RECOVERS_WITHIN_SECONDS = 15.0
OFF_BY_AT_MOST = 0.05
ROWS = 10 * len(ENTERPRISES)
FIGURES = Path(os.environ.get("XNOVU_HEALTH_FAULTS", "build/health_faults.json"))

pytestmark = [pytest.mark.whole, pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]

Broken = Callable[[Deployment], AbstractAsyncContextManager[None]]

_WITHDRAWN_KEY = b'{"message":"Invalid API key","hint":"Double check your Supabase `anon` or `service_role` API key."}'
_UNAUTHORIZED = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_WITHDRAWN_KEY), _WITHDRAWN_KEY)
)
"""What the gateway before a Supabase project says of a key that is none of its."""


@dataclass(frozen=True)
class Fault:
    """What is broken, how, and what the first line must name."""

    dependency: str
    way: str
    broken: Broken
    names: str

    def __str__(self) -> str:
        return f"{self.dependency} {self.way}"


@dataclass
class Figures:
    """Of one fault. `rows` that health says are held up, and those that are; None: health cannot ask, and says so."""

    fault: str
    named_after_seconds: float
    first_line: str
    rows: int | None
    true_rows: int | None
    healthy_after_seconds: float
    on_the_way: list[str] = field(default_factory=list)
    """What was said until it was healthy."""


@asynccontextmanager
async def shut(
    deployment: Deployment, *, door: str, ajar: Ajar, seconds: float = 0.0, only: bytes = b""
) -> AsyncIterator[None]:
    """A door is not open within the block."""
    await deployment.doors[door].set(ajar, delay_seconds=seconds, answer=_UNAUTHORIZED, only=only)
    try:
        yield
    finally:
        await deployment.doors[door].set(Ajar.OPEN)


@asynccontextmanager
async def frozen(deployment: Deployment, *, part: str) -> AsyncIterator[None]:
    """A server does not run within the block, and its connections stay."""
    with stopped(deployment.system.stack.process_ids[part]):
        yield


@asynccontextmanager
async def killed(deployment: Deployment, *, part: str) -> AsyncIterator[None]:
    """A server is gone within the block."""
    server = getattr(deployment.system.stack, part)
    await (server.kill if part == "temporal" else server.stop)()
    try:
        yield
    finally:
        await server.start()


@asynccontextmanager
async def program_frozen(deployment: Deployment, *, name: str) -> AsyncIterator[None]:
    with stopped(getattr(deployment, name).pid):
        yield


@asynccontextmanager
async def program_killed(deployment: Deployment, *, name: str) -> AsyncIterator[None]:
    program = getattr(deployment, name)
    program.kill()
    try:
        yield
    finally:
        program.start()


@asynccontextmanager
async def realtime(deployment: Deployment, *, faults: dict[str, dict[str, object]]) -> AsyncIterator[None]:
    for name, order in faults.items():
        await deployment.system.edge_fault(name, **order)
    try:
        yield
    finally:
        (await deployment.system.edge.delete("/_faults")).raise_for_status()


@asynccontextmanager
async def novu(deployment: Deployment, **fault: object) -> AsyncIterator[None]:
    await deployment.system.sink_faults({"requests": None, **fault})
    try:
        yield
    finally:
        (await deployment.system.sink.delete("/_sink/faults")).raise_for_status()


FAULTS = [
    Fault("database", "killed", partial(killed, part="postgres"), "supabase: "),
    Fault("database", "frozen", partial(frozen, part="postgres"), "supabase: "),
    Fault("supabase", "refusing", partial(shut, door="supabase", ajar=Ajar.REFUSING), "supabase: "),
    Fault("supabase", "frozen", partial(shut, door="supabase", ajar=Ajar.FROZEN), "supabase: "),
    Fault("supabase", "slow", partial(shut, door="supabase", ajar=Ajar.SLOW, seconds=5.0), "supabase: "),
    Fault(
        "supabase", "wrong key", partial(shut, door="supabase", ajar=Ajar.ANSWERING), "SUPABASE_SERVICE_ROLE_KEY is of"
    ),
    Fault("realtime", "frozen", partial(realtime, faults={"freeze": {"seconds": 120.0}}), "subscriptions: "),
    Fault(
        "realtime",
        "refusing",
        partial(realtime, faults={"refuse_joins": {"reason": "RealtimeDisabledForTenant"}, "close": {}}),
        "subscriptions: ",
    ),
    Fault(
        "realtime",
        "wrong key",
        partial(realtime, faults={"refuse_handshakes": {"status": 401}, "close": {}}),
        "subscriptions: ",
    ),
    Fault(
        "realtime",
        "slow",
        partial(shut, door="supabase", ajar=Ajar.SLOW, seconds=10.0, only=b"GET /realtime"),
        "subscriptions: ",
    ),
    Fault("temporal", "killed", partial(killed, part="temporal"), "temporal: "),
    Fault("temporal", "frozen", partial(frozen, part="temporal"), "temporal: "),
    Fault("temporal", "refusing", partial(shut, door="temporal", ajar=Ajar.REFUSING), "temporal: "),
    Fault("temporal", "slow", partial(shut, door="temporal", ajar=Ajar.SLOW, seconds=4.0), "temporal: "),
    Fault("novu", "refusing", partial(shut, door="novu", ajar=Ajar.REFUSING), "novu: "),
    Fault("novu", "failing", partial(novu, kind="server_error", status=500), "novu: "),
    Fault("novu", "frozen", partial(shut, door="novu", ajar=Ajar.FROZEN), "novu: "),
    Fault("novu", "slow", partial(shut, door="novu", ajar=Ajar.SLOW, seconds=6.0), "novu: "),
    Fault("novu", "wrong key", partial(novu, kind="unauthorized"), "HTTP 401: check NOVU_SECRET_KEY"),
    Fault("listener", "killed", partial(program_killed, name="listener"), "the listener (process "),
    Fault("listener", "frozen", partial(program_frozen, name="listener"), "the listener (process "),
    Fault("worker", "killed", partial(program_killed, name="worker"), "the worker (process "),
    Fault("worker", "frozen", partial(program_frozen, name="worker"), "the worker (process "),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    async with running_deployment(tmp_path_factory.mktemp("health")) as running:
        yield running


@pytest.fixture(scope="module")
def table() -> Iterator[list[Figures]]:
    """What was measured, to the terminal and to build/."""
    figures: list[Figures] = []
    yield figures
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")
    lines = ["", "| fault | named after | rows held up: said, true | healthy after |\n|---|---|---|---|"]
    for each in figures:
        rows = "unknown" if each.rows is None else f"{each.rows}, {each.true_rows}"
        said = f"{each.named_after_seconds:.1f} s | {rows} | {each.healthy_after_seconds:.1f} s"
        lines.append(f"| {each.fault} | {said} |")
    sys.stdout.write("\n".join([*lines, ""]))


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_the_cause_is_named_its_rows_are_counted_and_its_end_shows(
    deployment: Deployment, table: list[Figures], fault: Fault
) -> None:
    await eventually(deployment.is_healthy, within=120, what="healthy before")
    written = time.monotonic()
    figures = Figures(str(fault), 0.0, "", None, None, 0.0)

    async def is_named() -> bool:
        figures.first_line = await deployment.said()
        return fault.names in figures.first_line

    async def is_counted() -> bool:
        """Whether health says as many as there were at some time within its latest look, or that nobody knows."""
        unfinished = (await deployment.look())["unfinished"]
        if unfinished is None or fault.dependency in ("database", "supabase"):
            return unfinished is None and fault.dependency in ("database", "supabase")
        figures.rows = unfinished["rows"]
        truths = deployment.truths(since=written)
        figures.true_rows = min(truths, key=lambda it: abs(it - unfinished["rows"]))
        return bool(abs(unfinished["rows"] - figures.true_rows) <= OFF_BY_AT_MOST * figures.true_rows)

    async def is_over() -> bool:
        said = await deployment.said()
        if not figures.on_the_way or figures.on_the_way[-1].partition(": ")[2][:40] != said[:40]:
            figures.on_the_way.append(f"{time.monotonic() - ended:.1f} s: {said}")
        return said.startswith("healthy")

    async with fault.broken(deployment):
        began = time.monotonic()
        if fault.dependency != "database":
            await deployment.system.insert(ROWS)
        written = time.monotonic()
        await eventually(is_named, within=NAMED_WITHIN_SECONDS - (time.monotonic() - began), what=f"{fault} is named")
        figures.named_after_seconds = time.monotonic() - began
        assert fault.names in await deployment.first_line()
        await eventually(is_counted, within=NAMED_WITHIN_SECONDS, what=f"{fault}: rows are counted")
    ended = time.monotonic()
    await eventually(is_over, within=RECOVERS_WITHIN_SECONDS, what=f"{fault} is over")
    figures.healthy_after_seconds = time.monotonic() - ended
    table.append(figures)
    await eventually(deployment.system.is_settled, within=120, what=f"{fault}: every row is sent")
