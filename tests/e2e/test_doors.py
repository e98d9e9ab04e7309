"""Strangers at the daemon's port take little: deliveries go on, memory stays, the log does not fill.

The daemon may have 256 descriptors, as on many machines, and the strangers come from this machine, again and again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from statistics import median

import httpx
import psutil
import pytest
import pytest_asyncio

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port
from tests.e2e.program import Program
from tests.e2e.system import SHORT_TIMES, System, eventually
from tests.integration.memory import forget_peak, peak_memory_bytes
from tests.strangers import HELD_HEAD, ask_without_pause, hold, many, send_a_whole_head, send_headers

DESCRIPTORS = 256
MOST_MEMORY_MORE_BYTES = 64 * 2**20
MOST_LOG_MORE_BYTES = 256 * 1024
MOST_DELAY_SECONDS = 1.0
"""Where nothing else runs: undisturbed deliveries take `USUAL_SECONDS` there. Others on the machine stretch both."""
USUAL_SECONDS = 0.4
ATTACKED_FOR_SECONDS = 3.0
MOST_TRIES = 4
"""Others come and go between an undisturbed delivery and the attack; a door without bounds delays in every try."""

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


class Attacked:
    """A daemon at work."""

    def __init__(self, system: System, program: Program, port: int) -> None:
        self.system = system
        self.program = program
        self.port = port

    async def deliver(self) -> float:
        """Write a row for each enterprise; seconds until Novu has the last."""
        seen = len(await self.system.sink_calls())
        wanted = seen + len(self.system.enterprises)
        began = time.time()
        await self.system.insert(len(self.system.enterprises))

        async def have_come() -> bool:
            return len(await self.system.sink_calls()) >= wanted

        await eventually(have_come, what="the rows have come to Novu")
        calls = (await self.system.sink_calls())[seen:wanted]
        return max(int(call["received_at_ns"]) / 1e9 for call in calls) - began


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Attacked]:
    directory = tmp_path_factory.mktemp("doors")
    port = free_port()
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, SHORT_TIMES)
        await system.seed()
        with Program("daemon", directory, {**system.environment, "DAEMON_HEALTH_PORT": str(port)}) as program:
            psutil.Process(program.pid).rlimit(psutil.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
            running = Attacked(system, program, port)
            await eventually(partial(_is_ready, port), what="the daemon is ready")
            await running.deliver()  # whatever is loaded for the first one
            yield running
            program.require_running()
        await system.stop()


async def _is_ready(port: int) -> bool:
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=3) as client:
            return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def bounded(attacked: Attacked) -> AsyncIterator[None]:
    """Around an attack: what it may cost, at the most."""
    forget_peak(attacked.program.pid)
    memory_bytes = psutil.Process(attacked.program.pid).memory_info().rss
    log_bytes = attacked.program.log_file.stat().st_size
    yield
    attacked.program.require_running()
    assert peak_memory_bytes(attacked.program.pid) - memory_bytes < MOST_MEMORY_MORE_BYTES
    assert attacked.program.log_file.stat().st_size - log_bytes < MOST_LOG_MORE_BYTES


@pytest.mark.parametrize(
    ("count", "attack", "pause_seconds"),
    [
        (32, send_headers, 0.1),
        (8, send_a_whole_head, 0.1),
        (300, partial(hold, said=b""), 1),
        (200, partial(hold, said=HELD_HEAD), 1),
        (16, partial(ask_without_pause, path="/status"), 0.1),
    ],
    ids=["headers", "whole heads", "idle connections", "half heads", "calls"],
)
async def test_deliveries_beside_an_attack_are_not_delayed(
    attacked: Attacked, count: int, attack: Callable[[int], Awaitable[None]], pause_seconds: float
) -> None:
    tries: list[tuple[float, float]] = []
    while not tries or _is_delayed(*tries[-1]):
        assert len(tries) < MOST_TRIES, tries
        usual_seconds = median([await attacked.deliver() for _ in range(3)])
        async with bounded(attacked), many(count, partial(attack, attacked.port), pause_seconds=pause_seconds):
            await asyncio.sleep(1)
            ends_at = time.monotonic() + ATTACKED_FOR_SECONDS
            took_seconds: list[float] = []
            while time.monotonic() < ends_at or len(took_seconds) < 3:
                took_seconds.append(await attacked.deliver())
        tries.append((usual_seconds, median(took_seconds)))
    await eventually(partial(_is_ready, attacked.port), what="health answers again")


def _is_delayed(usual_seconds: float, attacked_seconds: float) -> bool:
    """By more than the attack may cost on a machine that is as busy as this one is at the moment."""
    return attacked_seconds > usual_seconds + MOST_DELAY_SECONDS * max(1.0, usual_seconds / USUAL_SECONDS)


async def test_health_answers_while_others_hold_every_connection_that_there_is(attacked: Attacked) -> None:
    async with bounded(attacked), many(300, partial(hold, attacked.port, HELD_HEAD), pause_seconds=1):
        await asyncio.sleep(1)
        answered = [await _is_ready(attacked.port) for _ in range(10)]

    assert answered.count(True) >= 5
