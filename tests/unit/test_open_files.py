"""As many descriptors as the kernel gives, and one line when they do not suffice."""

import logging
import resource
from collections.abc import Iterator

import psutil
import pytest

from shared import open_files
from shared.process_usage import ProcessUsage

ACCEPT_FAULT = "socket.accept() out of system resource\nsocket: <socket.socket fd=7>"


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """Those of this process, as they are before and after."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_the_hard_one(limits: tuple[int, int]) -> None:
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))

    open_files.allow_as_many_as_possible()

    assert open_files.limit() == min(hard, open_files.MOST_NEEDED) > 200


def test_a_limit_is_never_lowered(limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    soft, _ = limits
    monkeypatch.setattr(open_files, "MOST_NEEDED", 100)

    open_files.allow_as_many_as_possible()

    assert open_files.limit() == soft


def test_connections_that_cannot_be_taken_are_logged_once_and_all_else_always(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("asyncio")
    before = list(logger.filters)
    open_files.log_refused_connections_once_a_minute()
    try:
        for _ in range(1000):
            logger.error(ACCEPT_FAULT)
        logger.error("Task was destroyed but it is pending!")
        logger.error("Task was destroyed but it is pending!")
    finally:
        logger.filters[:] = before

    assert [record.getMessage().splitlines()[0] for record in caplog.records] == [
        "socket.accept() out of system resource",
        *["Task was destroyed but it is pending!"] * 2,
    ]


def test_a_process_that_cannot_read_of_itself_says_what_it_knew(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = ProcessUsage("tested")
    before = usage.observe()
    monkeypatch.setattr("shared.process_usage.MEASURED_AT_MOST_EVERY_SECONDS", 0.0)

    def out_of_descriptors(*_: object, **__: object) -> list[psutil.Process]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(psutil.Process, "children", out_of_descriptors)

    assert usage.observe() == before
