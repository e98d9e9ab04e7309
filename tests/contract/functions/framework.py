"""A function in a process of functions-framework, as the container runs it; and what calls it by its document."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from stack.processes import bound_command, free_port
from tests.contract.functions.bench import OPERATOR_KEY, SOURCE
from tests.workflows.conftest import eventually

_FRAMEWORK = Path(sys.executable).with_name("functions-framework")
_SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
_HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@contextmanager
def running(command: list[str], environment: Mapping[str, str], directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The process, killed at the end if it still runs; what it says is in `directory/output`."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "output").open("ab") as output:
        process = subprocess.Popen(
            bound_command(command, signal.SIGKILL),
            stdout=output,
            stderr=output,
            env={**_HARMLESS, **environment},
            cwd=directory,
        )
    try:
        yield process
    finally:
        # gunicorn's own child would go on for ever: it does not look whether its parent lives.
        descendants = _descendants(process.pid)
        process.kill()
        process.wait()
        for descendant in descendants:
            with suppress(psutil.NoSuchProcess):
                descendant.kill()


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextmanager
def starting(
    target: str, environment: Mapping[str, str], directory: Path, port: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """The function's process, which may not be listening yet."""
    framework = {
        "FUNCTION_SOURCE": str(SOURCE),
        "FUNCTION_TARGET": target,
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    with running([str(_FRAMEWORK)], {**environment, **framework}, directory) as process:
        yield process


@dataclass(frozen=True)
class Served:
    """A function that listens."""

    process: "subprocess.Popen[bytes]"
    url: str
    output_file: Path


@asynccontextmanager
async def serving(target: str, environment: Mapping[str, str], directory: Path) -> AsyncIterator[Served]:
    """The function, listening."""
    port = free_port()
    served_url = f"http://127.0.0.1:{port}"
    output_file = directory / "output"
    with starting(target, environment, directory, port) as process:
        async with httpx.AsyncClient(base_url=served_url) as client:

            async def is_listening() -> bool:
                assert process.poll() is None, output_file.read_text()
                try:
                    return (await client.get("/openapi.json")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(is_listening)
        yield Served(process, served_url, output_file)


async def schemathesis(
    document: dict[str, Any], path: str, url: str, directory: Path, *, examples: int
) -> tuple[int | None, str]:
    """Call the function in every way that the document allows and in many that it does not; its verdict."""
    file = directory / "openapi.json"
    file.write_text(json.dumps(document))
    process = await asyncio.create_subprocess_exec(
        _SCHEMATHESIS,
        "run",
        str(file),
        f"--url={url}",
        f"--include-path={path}",
        f"--header=X-Api-Key:{OPERATOR_KEY}",
        "--phases=coverage,fuzzing",
        f"--max-examples={examples}",
        "--generation-deterministic",
        "--generation-allow-x00=false",
        "--no-color",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()
