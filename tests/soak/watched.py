"""`python -m tests.soak.watched FILE LEAKS PART`: one of our processes, which writes down how many tasks it has.

LEAKS, separated by commas, are what it then leaks each second, so that a soak can be seen to fail; `none` for none.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

EVERY_SECONDS = 1.0
_kept: list[object] = []


def _memory() -> None:
    _kept.append(bytearray(b"\x01") * 1_000_000)


def _handles() -> None:
    _kept.append(os.open("/dev/null", os.O_RDONLY))


def _threads() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def _tasks() -> None:
    _kept.append(asyncio.create_task(asyncio.Event().wait()))


LEAKS: Mapping[str, Callable[[], None]] = {
    "memory": _memory,
    "handles": _handles,
    "threads": _threads,
    "tasks": _tasks,
}


def main(arguments: Sequence[str]) -> None:
    """Be that process, and be watched."""
    file, leaks, part = arguments
    planted = [LEAKS[leak] for leak in leaks.split(",") if leak != "none"]
    run = asyncio.run

    def watched_run(main: Coroutine[Any, Any, Any], **options: Any) -> Any:
        return run(_beside(main, Path(file), planted), **options)

    setattr(asyncio, "run", watched_run)  # noqa: B010 (mypy would have the true type)
    sys.argv = [part]
    runpy.run_module(part, run_name="__main__", alter_sys=True)


async def _beside(main: Coroutine[Any, Any, Any], file: Path, planted: Sequence[Callable[[], None]]) -> Any:
    watching = asyncio.create_task(_watch(file, planted))
    try:
        return await main
    finally:
        watching.cancel()


async def _watch(file: Path, planted: Sequence[Callable[[], None]]) -> None:
    while True:
        for leak in planted:
            leak()
        being_written = file.with_suffix(".new")
        being_written.write_text(str(len(asyncio.all_tasks())), encoding="ascii")
        being_written.replace(file)
        await asyncio.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
