"""What the integration tests share: a whole stack for each test process."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from stack.processes import bound_command


@pytest.fixture(scope="session")
def local_stack() -> Iterator[Mapping[str, str]]:
    """The environment of a running stack: addresses and keys, by the names XNovu's settings have.

    A process of its own, so that it belongs to no test's event loop; it ends with this one, even when that is killed.
    """
    command = bound_command([sys.executable, "-m", "stack", "up", "--json"], signal.SIGTERM)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answer = process.stdout.readline()
        if not answer:
            pytest.fail(f"the local stack ended with code {process.wait()} before it was ready; stderr says why")
        try:
            yield json.loads(answer)
        finally:
            process.terminate()
    assert process.returncode == 0
