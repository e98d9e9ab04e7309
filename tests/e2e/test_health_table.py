"""Each dependency in turn is killed, frozen, refuses, is slow or takes no key, with forty enterprises served by two
listeners and two workers: health names the cause in its first line, counts the rows held up, and recovers; whoever is
asked.

`make health-faults` prints the table that docs/health.md shows, and writes build/health_faults.json.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.door import Ajar
from tests.e2e.health_deployment import ENTERPRISES, Deployment, running_deployment, stopped
from tests.e2e.health_observers import Observer, Observers, Reporter, observing
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
    """Of one fault, by the observer. `rows` that it says are held up, and those that are; None: it cannot ask, and says
    so.
    """

    fault: str
    named_after_seconds: dict[str, float] = field(default_factory=dict)
    first_line: dict[str, str] = field(default_factory=dict)
    rows: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    healthy_after_seconds: dict[str, float] = field(default_factory=dict)
    on_the_way: dict[str, list[str]] = field(default_factory=dict)
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
    Fault("daemon", "killed", partial(program_killed, name="daemon"), "has not been heard of for "),
    Fault("daemon", "frozen", partial(program_frozen, name="daemon"), "has not been heard of for "),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    async with running_deployment(tmp_path_factory.mktemp("health")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observers(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Observers]:
    directory = tmp_path_factory.mktemp("observers")
    async with observing(deployment.health_url, directory, deployment.environment) as observers:
        yield observers


@pytest.fixture(scope="module")
def table() -> Iterator[list[Figures]]:
    """What was measured, to the terminal and to build/."""
    figures: list[Figures] = []
    yield figures
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")
    head = "| fault | named after: daemon, functions | rows held up: said, true | healthy after: daemon, functions |"
    lines = ["", head, "|---|---|---|---|"]
    for each in figures:
        rows = each.rows.get("/status", each.rows.get("function status"))
        named, healthy = [_of_both(seconds) for seconds in (each.named_after_seconds, each.healthy_after_seconds)]
        said = "unknown" if rows is None else "{}, {}".format(*rows)
        lines.append(f"| {each.fault} | {named} | {said} | {healthy} |")
    sys.stdout.write("\n".join([*lines, ""]))


def _of_both(seconds: Mapping[str, float]) -> str:
    """The latest of the daemon's observers, and of the functions; a dash where none has come to it."""
    kinds = (
        [value for name, value in seconds.items() if name.startswith("function") is functions]
        for functions in (False, True)
    )
    return ", ".join(f"{max(kind):.1f}" if kind else "-" for kind in kinds) + " s"


async def _after(check: Callable[[], Awaitable[bool]], since: float, within: float, what: str) -> float:
    """How many seconds since then it was until the answer was yes; a question that takes long counts, too."""
    await eventually(check, within=within - (time.monotonic() - since), what=what)
    seconds = time.monotonic() - since
    assert seconds <= within, f"after {seconds:.1f} s, not within {within:g} s: {what}"
    return seconds


async def _all(checks: Iterable[Awaitable[None]]) -> None:
    """Each to its end; fails with what all say that failed."""
    failures = [each for each in await asyncio.gather(*checks, return_exceptions=True) if each is not None]
    for each in failures:
        if not isinstance(each, AssertionError):
            raise each
    assert not failures, "\n".join(map(str, failures))


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_the_cause_is_named_its_rows_are_counted_and_its_end_shows(
    deployment: Deployment, observers: Observers, table: list[Figures], fault: Fault
) -> None:
    await eventually(deployment.is_healthy, within=120, what="healthy before")
    asked = observers.functions if fault.dependency == "daemon" else observers.everybody
    figures = Figures(str(fault))
    began = written = ended = 0.0

    async def is_named(observer: Observer) -> None:
        """Whoever is asked says the same first."""

        async def check() -> bool:
            figures.first_line[observer.name] = await observer.said()
            return fault.names in figures.first_line[observer.name]

        what = f"{fault} is named by {observer.name}"
        figures.named_after_seconds[observer.name] = await _after(check, began, NAMED_WITHIN_SECONDS, what)

    async def is_counted(observer: Reporter) -> None:
        """It says as many as there were at some time within its latest look, or that nobody knows."""

        async def check() -> bool:
            report = await observer.look()
            if "unfinished" not in report:
                return False  # nothing is wrong, it says
            unfinished = report["unfinished"]
            if unfinished is None or fault.dependency in ("database", "supabase"):
                figures.rows[observer.name] = None
                return unfinished is None and fault.dependency in ("database", "supabase")
            true = min(deployment.truths(since=written), key=lambda it: abs(it - unfinished["rows"]))
            figures.rows[observer.name] = (unfinished["rows"], true)
            return bool(abs(unfinished["rows"] - true) <= OFF_BY_AT_MOST * true)

        await eventually(check, within=NAMED_WITHIN_SECONDS, what=f"{fault}: rows are counted by {observer.name}")

    async def is_over(observer: Observer) -> None:
        told: list[str] = []
        figures.on_the_way[observer.name] = told

        async def check() -> bool:
            said = await observer.said()
            if not told or told[-1].partition(": ")[2][:40] != said[:40]:
                told.append(f"{time.monotonic() - ended:.1f} s: {said}")
            return said.startswith("healthy")

        what = f"{fault} is over for {observer.name}"
        figures.healthy_after_seconds[observer.name] = await _after(check, ended, RECOVERS_WITHIN_SECONDS, what)

    table.append(figures)
    async with fault.broken(deployment):
        began = time.monotonic()
        await observers.newcomer.begin_anew()
        if fault.dependency != "database":
            await deployment.system.insert(ROWS)
        written = time.monotonic()
        await _all(map(is_named, asked))
        if fault.dependency != "daemon":  # of which xnovu daemon health says that it does not answer
            assert fault.names in await deployment.first_line()
        await _all(is_counted(observer) for observer in asked if isinstance(observer, Reporter))
    ended = time.monotonic()
    await _all(map(is_over, observers.everybody))
    await eventually(deployment.system.is_settled, within=120, what=f"{fault}: every row is sent")
