"""The local stack of `xnovu daemon start --dev`: it belongs to the daemon, and ends with it."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stack.processes import PartFailed, bound_command

STOPS_WITHIN_SECONDS = 20.0

SERVERS = ("TEMPORAL_ADDRESS", "NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_URL")

DEFAULTS = {"DAEMON_ENTERPRISE_IDS": "dev"}


def is_wanted() -> bool:
    """Whether the settings name no server at all."""
    return not any(os.environ.get(name) for name in SERVERS)


@contextmanager
def dev_stack(environment_file: Path) -> Iterator[None]:
    """Start the stack, put what it says into our environment and, for other shells to read, into the file.

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
        environment = {**json.loads(answer), **{name: os.environ.get(name) or DEFAULTS[name] for name in DEFAULTS}}
        os.environ.update(environment)
        _write(environment_file, environment)
        yield
    finally:
        stack.terminate()
        stack.wait(STOPS_WITHIN_SECONDS)


def _write(file: Path, environment: Mapping[str, str]) -> None:
    """It holds keys: for its owner's eyes."""
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()))
