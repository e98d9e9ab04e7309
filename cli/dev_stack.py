"""The local stack of `xnovu daemon start --dev`: it ends with the daemon, and its data, ports and keys stay."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from cli.daemon_record import reached_at
from cli.novu.sample import apply_to_stack
from shared.settings import EVERY_ENTERPRISE
from stack.first_steps import seed_first_steps
from stack.processes import PartFailed, bound_command

STOPS_WITHIN_SECONDS = 20.0

SERVERS = ("TEMPORAL_ADDRESS", "NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_URL")
HOW_TO_REACH_THEM = ("TEMPORAL_API_KEY", "TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE")
_AND_ALL_THAT_BEGIN_WITH = "TEMPORAL_TLS"
"""What is set of these would be used for the local Temporal too, which wants none: nothing would be connected."""

ENTERPRISES = "DAEMON_ENTERPRISE_IDS"
SAMPLE_ENTERPRISE = "dev"
"""Served if nobody says whom to serve; each that is served has workflows to play with, such as `dev-hello`."""

MARK = "XNOVU_DEV_STACK"
"""In the environment of a shell that has read the file: its servers are those of a daemon's own stack."""

BEFORE_IT_RUNS: Mapping[str, str] = {
    "temporal_address": "127.0.0.1:1",
    "NEXT_PUBLIC_SUPABASE_URL": "http://127.0.0.1:1",
    "supabase_service_role_key": "later",
    "novu_secret_key": "later",
}
"""Settings that the stack will bring, good enough to check all others before."""

_UNLESS_SET = {"NOVU_DELIVERY": "activity"}


def is_wanted() -> bool:
    """Whether the settings name no server, or only those of a stack that came and went with a daemon."""
    return bool(os.environ.get(MARK)) or not servers_set()


def servers_set() -> list[str]:
    """The variables that are set of servers elsewhere, or of how to reach them."""
    known = (*SERVERS, *HOW_TO_REACH_THEM)
    others = (name for name in sorted(os.environ) if name.startswith(_AND_ALL_THAT_BEGIN_WITH))
    return [name for name in (*known, *others) if os.environ.get(name)]


def enterprises_of(option: str | None) -> str:
    """Whom a daemon with a stack of its own serves: flag, then setting, then the sample."""
    return option or os.environ.get(ENTERPRISES) or SAMPLE_ENTERPRISE


def with_samples(enterprise_ids: Sequence[str]) -> list[str]:
    """Those of whom a stack has samples: all that are listed, or one where whoever comes is served."""
    return [SAMPLE_ENTERPRISE if each == EVERY_ENTERPRISE else each for each in enterprise_ids]


@contextmanager
def dev_stack(
    directory: Path, enterprise_ids: Sequence[str], health: tuple[str, int], keep: Callable[[str], None]
) -> Iterator[None]:
    """Start the stack in the directory, put what it says into our environment and give it, for other shells to read, to
    `keep`. Every enterprise has samples then, and messages in the inbox links to `health`, where ours will be served.

    Raises PartFailed if it does not start; its own words are on stderr then. It does not outlive this process, even
    when that is killed.
    """
    command = [sys.executable, "-m", "stack", "up", "--json", "--state-directory", str(directory)]
    # A session of its own: Ctrl-C is for us, and the stack is still needed while the rest drains.
    stack = subprocess.Popen(
        bound_command(command, signal.SIGTERM), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert stack.stdout is not None
        answer = stack.stdout.readline()
        if not answer:
            raise PartFailed(f"the local stack ended with code {stack.wait()} before it was ready")
        environment: dict[str, str] = json.loads(answer)
        environment |= {
            MARK: "1",
            ENTERPRISES: ",".join(enterprise_ids),
            "DAEMON_HEALTH_PORT": str(health[1]),
            "TEMPORAL_UI_URL": environment["XNOVU_STACK_TEMPORAL_UI_URL"],
            "INBOX_URL": environment["XNOVU_STACK_INBOX_URL"],
            **{name: os.environ.get(name) or value for name, value in _UNLESS_SET.items()},
        }
        os.environ.update(environment)
        asyncio.run(seed_samples(environment, with_samples(enterprise_ids), f"{reached_at(*health)}/trace?id="))
        keep(for_a_shell(environment))
        yield
    finally:
        stack.terminate()
        stack.wait(STOPS_WITHIN_SECONDS)


async def seed_samples(environment: Mapping[str, str], enterprise_ids: Sequence[str], trace_url: str) -> None:
    """Workflows to play with for each enterprise, and links to traces in the inbox."""
    for enterprise_id in enterprise_ids:
        await seed_first_steps(environment["XNOVU_STACK_POSTGRES_URL"], enterprise_id)
    async with httpx.AsyncClient(trust_env=False) as http:
        # The sample whose content is Novu's own, as somebody would make it in Novu's dashboard.
        made = {"make": [f"{enterprise_id}-welcome" for enterprise_id in enterprise_ids]}
        (await http.post(f"{environment['NOVU_API_URL']}/_sink/workflows", json=made)).raise_for_status()
        sink_settings = f"{environment['NOVU_API_URL']}/_sink/settings"
        (await http.patch(sink_settings, json={"trace_url": trace_url})).raise_for_status()
    await apply_to_stack(environment)


def for_a_shell(environment: Mapping[str, str]) -> str:
    """A file that a shell, or --env-file, reads."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
