"""`xnovu demo` leaves nothing behind, however it ends. What it sends is judged by itself."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import httpx
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


def test_a_demo_that_is_kept_says_where_everything_is_and_what_it_says_works(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "cli", "demo", "--keep"],
        env={**HARMLESS, "TMPDIR": str(tmp_path), "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    try:
        said = list(takewhile(lambda line: "ends with Ctrl-C" not in line, demo.stdout))
        banner = said[next(at for at, line in enumerate(said) if "runs with a local stack" in line) :]
        places = {
            line[:17].strip(): line[17:].split()[0] for line in banner if line.startswith("  ") and line[17] != " "
        }
        [to_try] = [line for line in banner if " send " in line]
        answer = subprocess.run(shlex.split(to_try), env=HARMLESS, capture_output=True, text=True, timeout=60)
        page = httpx.get(places["status page"], headers={"Accept": "text/html"})
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)

    assert places.keys() >= {"status page", "inbox", "Temporal", "Supabase", "database", "settings", "log"}
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "SENT" in answer.stdout
    assert page.status_code == 200
    assert "http" not in "".join(said[: -len(banner)]), (
        "a demo that is not kept says this much: its addresses end with it"
    )
