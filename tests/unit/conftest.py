"""Unit tests pass no real time, unless they say that they must."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.unit.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Asked by pytest-asyncio, for each test that is a coroutine."""
    if item.get_closest_marker("real_time") is not None:
        return {"real": asyncio.new_event_loop}
    return {"virtual": VirtualLoop}
