"""Spreads the tests over processes (pytest-xdist): those that share a running system stay together, long beside short.

Shows, after the run, what tests have measured. And has a whole stack for each test process that asks for it.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

from shared import importing
from stack.processes import bound_command

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of a thousand processes would compile the same modules anew

os.environ["XNOVU_ENV_FILE"] = os.devnull  # a developer's own .env names servers that no test may touch

os.environ.setdefault("GOGC", "400")
"""Terraform's, Temporal's and buildah's memory is looked through less often: a fifth of Terraform's processor time."""

settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("searching", parent=settings.get_profile("steady"), derandomize=False)
settings.load_profile("steady")
"""The same examples each time, however slow the machine; `--hypothesis-profile=searching` looks for new ones."""

SYSTEMS = {
    "tests/chaos/test_seeds.py": "chaos seeds",
    "tests/e2e/test_autoscale.py": "autoscale",
    "tests/e2e/test_chaos.py": "chaos",
    "tests/e2e/test_docs_novu.py": "system",
    "tests/e2e/test_doors.py": "doors",
    "tests/e2e/test_first_hour.py": "first hour",
    "tests/e2e/test_health_faults.py": "health faults",
    "tests/e2e/test_isolation.py": "system",
    "tests/e2e/test_privacy.py": "system",
    "tests/e2e/test_processes.py": "processes",
    "tests/e2e/test_promises.py": "system",
    "tests/e2e/test_recipients.py": "system",
    "tests/e2e/test_recovery.py": "recovery",
    "tests/e2e/test_rendering.py": "system",
    "tests/e2e/test_runbook.py": "runbook",
    "tests/e2e/test_survival.py": "survival",
    "tests/e2e/test_telemetry.py": "telemetry",
    "tests/e2e/test_time_daemons.py": "daemons",
    "tests/e2e/test_time_retraction.py": "timed",
    "tests/e2e/test_time_rules.py": "timed",
    "tests/e2e/test_time_scheduled.py": "timed",
    "tests/integration/test_health_page.py": "browser",
    "tests/integration/test_inbox_page.py": "browser",
    "tests/integration/test_page_accessibility.py": "browser",
    "tests/image/test_image.py": "image",
    "tests/image/test_roles.py": "image",
    "tests/infra/test_temporal_sdk_metrics.py": "sdk metrics",
}
"""Which of the systems that take seconds to start a file's tests run on."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Seven thousand tests and all that they import are no garbage: in vain it takes a third of the time to look."""
    collected = yield
    importing.done()
    return collected


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts those that are slow first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


class SystemScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Every test for itself, save those of one system: even processes begin with the slow ones, odd ones from the end.

    Slow tests wait more than they work. So there are more processes than cores, and no more than half of them have
    whole systems at work, until only slow tests are left; these are not left over for the end.

    The first half is what `--dist loadgroup` is for; pytest-xdist 3.8 loses its group marks under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return SYSTEMS.get(nodeid.partition("::")[0], nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if int(node.gateway.id.removeprefix("gw")) % 2:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Callable[..., None]) -> SystemScheduling:
    """Asked by pytest-xdist, whatever `--dist` says."""
    config.option.loadscopereorder = False
    return SystemScheduling(config, log)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """What passed tests handed to `record_property`: figures that depend on the machine too much to be asserted."""
    measured = [
        f"{name}: {value}"
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
    ]
    if measured:
        terminalreporter.section("measured")
        for line in measured:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def local_stack() -> Iterator[Mapping[str, str]]:
    """The environment of a running stack: addresses and keys, by the names XNovu's settings have.

    A process of its own, so that it belongs to no test's event loop; it ends with this one, even when that is killed.
    """
    command = bound_command([sys.executable, "-m", "stack", "up", "--json", "--forgiving-novu"], signal.SIGTERM)
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
