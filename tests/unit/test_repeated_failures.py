"""An outage fills no log: of failures that are alike a few are told, and how many there were."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from shared import json_logs, repeated_failures
from shared.repeated_failures import MOST_KINDS, TOLD_A_MINUTE, FewOfEachKind


class Log:
    """A handler of ours, and a clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._stream = StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(json_logs.Formatter())
        self.few = FewOfEachKind(self.handler.handle, clock=lambda: self.now)
        self.handler.addFilter(self.few)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    def fail(self, error: Exception, event: str = "Completing activity as failed", name: str = "temporalio.x") -> None:
        try:
            raise error
        except type(error) as raised:
            told = (type(raised), raised, raised.__traceback__)
        self.handler.handle(logging.LogRecord(name, logging.WARNING, "", 0, event, (), told))

    def say(self, event: str) -> None:
        self.handler.handle(logging.LogRecord("Listener", logging.INFO, "", 0, event, (), None))


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    yield log
    log.handler.close()


def novu_fault(notification_id: int = 1) -> ApplicationError:
    return ApplicationError(f"Novu: HTTP 500, of {notification_id}", type="NovuFault")


def test_an_outage_of_two_minutes_is_a_few_lines_and_the_numbers(log: Log) -> None:
    """It was 626 lines, with tracebacks."""
    for second in range(120):
        log.now += 1
        for each in range(5):
            log.fail(novu_fault(second * 5 + each))
    log.now += 60
    log.say("sweep_done")

    summed_up = [line for line in log.lines if line["event"] == "failures_repeated"]
    assert len(log.lines) == 2 * TOLD_A_MINUTE + len(summed_up) + 1
    assert sum(line["times"] for line in summed_up) == 600 - 2 * TOLD_A_MINUTE
    assert summed_up[0]["repeated"] == "Completing activity as failed"
    assert summed_up[0]["error"] == "ApplicationError: NovuFault: Novu: HTTP 500, of 0"
    assert not any("Traceback" in str(line) for line in log.lines)


def test_an_attempt_that_failed_by_a_fault_of_ours_says_it_without_a_traceback(log: Log) -> None:
    log.fail(novu_fault(7))

    [line] = log.lines
    assert (line["event"], line["what"]) == ("temporal_sdk", "Completing activity as failed")
    assert line["error"] == "ApplicationError: NovuFault: Novu: HTTP 500, of 7"
    assert "exc_info" not in line


def test_what_nobody_foresaw_keeps_its_traceback(log: Log) -> None:
    log.fail(KeyError("a row's own"))

    assert log.lines[0]["exc_info"].endswith("KeyError")
    assert "a row's own" not in str(log.lines)


def test_other_failures_and_all_that_are_none_are_told_beside_it(log: Log) -> None:
    for _ in range(10):
        log.fail(novu_fault())
        log.say("sweep_done")
    log.fail(ApplicationError("Novu: HTTP 401", type="NovuFault"))
    log.fail(novu_fault(), event="delivery_stumbled", name="NotificationDelivery")

    events = [line["event"] for line in log.lines]
    assert events.count("sweep_done") == 10
    assert events.count("temporal_sdk") == TOLD_A_MINUTE + 1
    assert events[-1] == "delivery_stumbled"


def test_what_is_untold_is_told_at_the_end_of_the_process(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [log.handler])
    for _ in range(TOLD_A_MINUTE + 2):
        log.fail(novu_fault())

    json_logs.sum_up_failures()
    json_logs.sum_up_failures()

    assert [line["times"] for line in log.lines if line["event"] == "failures_repeated"] == [2]


def test_however_many_kinds_there_are_few_are_remembered(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated_failures, "MOST_KINDS", 5)
    assert MOST_KINDS > 5
    for letter in "abcdefghij":
        for _ in range(TOLD_A_MINUTE + 1):
            log.fail(ApplicationError(f"kind {letter}", type="NovuFault"))
    log.few.sum_up()

    assert [line["times"] for line in log.lines if line["event"] == "failures_repeated"] == [1] * 10
