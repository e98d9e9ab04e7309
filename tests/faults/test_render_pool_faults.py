"""The render pool meets a foreign exception at every await: a call fails at most, and the next ones are rendered."""

import asyncio
import os
import signal
from contextlib import suppress

import psutil
import pytest

from tests.faults.await_points import PROJECT, AwaitPoint, await_points
from tests.faults.injector import Foreign, raising_once_at_each
from tests.integration.test_render_pool import a_request, body_of, templates_of
from worker.render_pool.child_process import RenderPoolUnavailable
from worker.render_pool.pool import RenderPool

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CANCELLED = {("ChildProcess.start", "await (await creation).kill()"), ("ChildProcess.start", "await child.kill()")}
"""Of a start that is cancelled. Its twin, of one that fails, is of the same text and is come to."""


def _text(point: AwaitPoint) -> tuple[str, str]:
    line = (PROJECT / point.file).read_text().splitlines()[point.line - 1]
    return point.function, line.strip()


ALL = await_points("worker.render_pool.pool", "worker.render_pool.child_process")
POINTS = [point for point in ALL if _text(point) not in CANCELLED]


async def render_until_well(pool: RenderPool) -> None:
    templates = templates_of({"hello": "hello {{ n }}"})
    for _ in range(len(ALL)):
        with suppress(Foreign, RenderPoolUnavailable):
            async with asyncio.timeout(60):
                [result] = await pool.render([a_request("hello", templates, {"n": 1})])
            assert body_of(result) == "hello 1"
            return
    raise AssertionError("nothing is rendered any more")


async def test_a_pool_that_meets_faults_renders_what_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.render_pool.pool._RESTART_SECONDS", 0.01)
    defects: list[BaseException] = []
    with raising_once_at_each(ALL) as fired:
        before = -1
        while len(fired) > before:
            before = len(fired)
            pool = RenderPool(on_defect=defects.append)
            with monkeypatch.context() as patched:
                patched.setattr("worker.render_pool.child_process._START_SECONDS", 0.0)
                for _ in range(3):  # no child starts in time
                    with suppress(Foreign, RenderPoolUnavailable):
                        await pool.start()
                await asyncio.sleep(0.1)
            await render_until_well(pool)
            for process_id in pool.process_ids:
                os.kill(process_id, signal.SIGKILL)
            await render_until_well(pool)
            for _ in range(5):
                with suppress(Foreign):
                    await pool.close()

    assert not [str(point) for point in POINTS if point not in fired]
    assert {type(defect) for defect in defects} == {Foreign}
    for child in psutil.Process().children():  # whose killing met its fault: it would end with this process
        if "worker.render_pool.child" in _command(child):
            child.kill()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []
