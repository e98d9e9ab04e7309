"""No line of the log holds what a foreign exception says, whoever logs it and however."""

import asyncio
import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from shared import json_logs
from shared.ports import StoreUnavailable

PERSON = "zanzibar@example.org"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> "Lines":
    caplog.set_level(logging.DEBUG)
    return Lines(caplog)


class Lines:
    """The log's records as our formatter writes them at the moment they are logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.handler.setFormatter(json_logs.Formatter())
        self._caplog = caplog

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._caplog.text.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        return self.all[-1]


def test_a_traceback_holds_types_and_places(lines: Lines) -> None:
    try:
        raise ValueError(PERSON)
    except ValueError:
        logging.getLogger("a.library").exception("failed")

    assert lines.last["event"] == "failed"
    assert lines.last["exc_info"].endswith("ValueError")
    assert "test_json_logs.py" in lines.last["exc_info"]
    assert PERSON not in str(lines.last)


def test_what_an_earlier_handler_made_of_the_exception_is_not_taken_over() -> None:
    record = logging.LogRecord("a.library", logging.ERROR, "", 0, "failed", (), (ValueError, ValueError(PERSON), None))
    logging.Formatter().format(record)

    assert PERSON not in json_logs.Formatter().format(record)


def test_a_sentence_that_was_made_of_the_exception_names_its_type_instead(lines: Lines) -> None:
    try:
        raise ValueError(PERSON)
    except ValueError as error:
        logging.getLogger("temporalio.activity").warning(f"Completing as failure, error of type {type(error)}: {error}")

    assert lines.last["what"] == "Completing as failure, error of type <class 'ValueError'>: ValueError"


@pytest.mark.parametrize(
    ("template", "arguments", "event"),
    [
        ("%s failed after %.1f s", (PERSON, 1.5), "<str> failed after 1.5 s"),
        ("failed: %s", (ValueError(PERSON),), "failed: ValueError"),
        ("failed: %s", (StoreUnavailable("away"),), "failed: StoreUnavailable: away"),
        ("row %(row)s", ({"row": {"name": PERSON}},), "row <dict>"),
        (f"first\n{PERSON}", (), "first"),
    ],
)
def test_a_library_s_values_are_told_as_types(
    lines: Lines, template: str, arguments: tuple[Any, ...], event: str
) -> None:
    logging.getLogger("a.library").warning(template, *arguments)

    assert lines.last["event"] == event


def test_a_sentence_that_cannot_be_put_together_is_told_as_it_was_written() -> None:
    record = logging.LogRecord("a.library", logging.ERROR, "", 0, "%d rows", (PERSON,), None)

    assert json.loads(json_logs.Formatter().format(record))["event"] == "%d rows"


def test_an_exception_among_a_line_s_fields_is_told_as_its_type(lines: Lines) -> None:
    logging.getLogger("a.library").warning("failed", extra={"reason": ValueError(PERSON)})

    assert lines.last["reason"] == "ValueError"


async def test_a_task_that_nobody_awaited_is_told_without_its_exception_and_result(lines: Lines) -> None:
    async def fail() -> None:
        raise ValueError(PERSON)

    task = asyncio.create_task(fail())
    await asyncio.wait({task})
    del task

    assert lines.last["event"] == "Task exception was never retrieved"
    assert PERSON not in str(lines.all)


@pytest.mark.parametrize(
    "raising",
    [
        "raise ValueError(PERSON)",
        "import threading; t = threading.Thread(target=int, args=(PERSON,)); t.start(); t.join()",
        "class Broken:\n    def __del__(self): raise ValueError(PERSON)\nBroken()",
    ],
)
def test_what_the_interpreter_itself_would_print_is_a_line_of_the_log(raising: str) -> None:
    program = f"from shared import json_logs\njson_logs.configure('info')\nPERSON = {PERSON!r}\n{raising}"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stderr == ""
    [line] = map(json.loads, done.stdout.splitlines())
    assert line["event"] == "uncaught_exception"
    assert line["exc_info"].endswith("ValueError")
    assert PERSON not in done.stdout


@pytest.fixture
def watched(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(json_logs.TerminalFormatter(colours=False))
    return caplog


def test_on_a_terminal_a_record_is_a_line_for_people(watched: pytest.LogCaptureFixture) -> None:
    logging.getLogger("HealthMonitor").warning("looked", extra={"rows": 2, "enterprise_id": "acme", "why": "no answer"})

    [line] = watched.text.splitlines()
    time_of_day, _, rest = line.partition(" ")
    assert len(time_of_day) == len("17:40:01.123")
    assert rest == 'warn  HealthMonitor: looked rows=2 enterprise_id=acme why="no answer"'


def test_on_a_terminal_a_traceback_is_read_line_by_line_and_quotes_nothing(watched: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError(PERSON)
    except ValueError:
        logging.getLogger("a.library").exception("failed")

    first, *trace = watched.text.splitlines()
    assert first.endswith("error a.library: failed")
    assert trace[-1] == "    ValueError"
    assert PERSON not in watched.text


def test_on_a_terminal_nothing_that_is_quoted_commands_it(watched: pytest.LogCaptureFixture) -> None:
    hostile = "\x1b]0;mine\x07\u202e\n\x9b"

    logging.getLogger("a.library").info("said", extra={"what": hostile, "whose": {"a": hostile}})

    assert watched.text.rstrip("\n").isprintable()
    assert watched.text.isascii()


@pytest.mark.parametrize(("level", "begins", "ends"), [("ERROR", "\x1b[31m", "\x1b[0m"), ("INFO", "", "")])
def test_colours_mark_what_is_amiss_and_only_that(level: str, begins: str, ends: str) -> None:
    record = logging.LogRecord("a.library", logging.getLevelNamesMapping()[level], "", 0, "looked", (), None)

    plain = json_logs.TerminalFormatter(colours=False).format(record)

    assert json_logs.TerminalFormatter(colours=True).format(record) == begins + plain + ends
