"""The local stack of `xnovu daemon start --dev`: it belongs to the daemon, and ends with it."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import asyncpg

from cli.novu.sample import apply_to_stack
from stack.processes import PartFailed, bound_command
from stack.sample_data import seed_enterprise

STOPS_WITHIN_SECONDS = 20.0

SERVERS = ("TEMPORAL_ADDRESS", "NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_URL")

ENTERPRISES = "DAEMON_ENTERPRISE_IDS"
SAMPLE_ENTERPRISE = "dev"
"""Served if nobody says whom to serve; it has workflows to play with, such as `dev-welcome`."""

MARK = "XNOVU_DEV_STACK"
"""In the environment of a shell that has read the file: its servers are those of a daemon's own stack."""


def is_wanted() -> bool:
    """Whether the settings name no server, or only those of a stack that came and went with a daemon."""
    return bool(os.environ.get(MARK)) or not any(os.environ.get(name) for name in SERVERS)


@contextmanager
def dev_stack(keep: Callable[[str], None]) -> Iterator[None]:
    """Start the stack, put what it says into our environment and give it, for other shells to read, to `keep`.

    Raises PartFailed if it does not start; its own words are on stderr then. It does not outlive this process, even
    when that is killed.
    """
    command = bound_command([sys.executable, "-m", "stack", "up", "--json"], signal.SIGTERM)
    # A session of its own: Ctrl-C is for us, and the stack is still needed while the rest drains.
    stack = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert stack.stdout is not None
        answer = stack.stdout.readline()
        if not answer:
            raise PartFailed(f"the local stack ended with code {stack.wait()} before it was ready")
        environment = {**json.loads(answer), MARK: "1", ENTERPRISES: os.environ.get(ENTERPRISES) or SAMPLE_ENTERPRISE}
        os.environ.update(environment)
        if environment[ENTERPRISES] == SAMPLE_ENTERPRISE:
            asyncio.run(_seed(environment))
        keep(_for_a_shell(environment))
        yield
    finally:
        stack.terminate()
        stack.wait(STOPS_WITHIN_SECONDS)


async def _seed(environment: Mapping[str, str]) -> None:
    connection = await asyncpg.connect(environment["XNOVU_STACK_POSTGRES_URL"])
    try:
        await seed_enterprise(connection, SAMPLE_ENTERPRISE)
    finally:
        await connection.close()
    await apply_to_stack(environment)


def _for_a_shell(environment: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
