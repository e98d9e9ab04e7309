"""`xnovu demo` leaves nothing behind, however it ends. What it sends is judged by itself."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil

from tests.workflows.conftest import eventually

HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def _left(directory: Path) -> list[str]:
    return [str(path.relative_to(directory)) for path in directory.rglob("*")]


async def test_a_demo_that_is_told_to_end_leaves_no_folder_and_no_process(tmp_path: Path) -> None:
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "demo", "--keep"),
        env={**HARMLESS, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )

    async def has_begun() -> bool:
        assert demo.returncode is None
        return len(_left(tmp_path)) > 1 and bool(psutil.Process(demo.pid).children())

    try:
        await eventually(has_begun, within=60)
        children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(demo.wait(), 60)
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()

    assert code == 0
    assert _left(tmp_path) == []
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
