"""Spreads the tests over processes (pytest-xdist): those that share a running system stay together."""

from collections.abc import Callable

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

SYSTEMS = {
    "tests/e2e/test_isolation.py": "system",
    "tests/e2e/test_privacy.py": "system",
    "tests/e2e/test_processes.py": "processes",
    "tests/e2e/test_promises.py": "system",
    "tests/e2e/test_rendering.py": "system",
    "tests/e2e/test_survival.py": "survival",
}
"""Which of the systems that take seconds to start a file's tests run on."""


class SystemScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Every test for itself, save those of one system.

    What `--dist loadgroup` is for; pytest-xdist 3.8 loses its group marks under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return SYSTEMS.get(nodeid.partition("::")[0], nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Callable[..., None]) -> SystemScheduling:
    """Asked by pytest-xdist, whatever `--dist` says."""
    return SystemScheduling(config, log)
