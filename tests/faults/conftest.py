"""The functions are served on the real stack, as in their contract tests. What a fault left unclosed is collected where
it was left, and not in the test that happens to follow.
"""

import gc
from collections.abc import Iterator

import pytest

from tests.contract.functions.conftest import bench, temporal

__all__ = ["bench", "temporal"]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Closing met its fault, too."""
    yield
    gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Such a test is not about what it leaves to the collector."""
    for item in items:
        if "/faults/" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
