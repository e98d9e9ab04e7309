"""docs/error_codes.md lists every code that a row can fail with, waits for, or a function answers, and no other."""

import re
from pathlib import Path
from typing import Any

from functions.openapi import openapi_document
from functions.problems import PROBLEM_MEDIA_TYPE, STATUS, ProblemCode
from shared.notification.outcomes import RefusalCode
from shared.ports import FaultCode
from shared.process_exit import EXIT_BAD_SETTINGS, EXIT_FAILED
from worker.activities.doubt import IN_DOUBT
from worker.activities.unsettled_rows import RENDERING_DELAYED

DOCUMENT = Path(__file__).parents[2] / "docs" / "error_codes.md"


def test_every_code_has_its_line_and_every_line_its_code() -> None:
    lines = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", DOCUMENT.read_text(), re.MULTILINE)

    assert sorted(lines) == sorted([*RefusalCode, *FaultCode, IN_DOUBT, RENDERING_DELAYED])


def test_every_problem_of_the_functions_has_its_line_with_its_status() -> None:
    lines = re.findall(r"^\| `(\w+)` \| (\d+) \| [^|]+ \| [^|]+ \|$", DOCUMENT.read_text(), re.MULTILINE)

    assert sorted(lines) == sorted((code.value, str(STATUS[code])) for code in ProblemCode)


def test_every_problem_of_the_functions_is_an_answer_that_the_openapi_document_tells_of() -> None:
    operations = [operation for path in openapi_document()["paths"].values() for operation in path.values()]

    told = {
        (code, status)
        for operation in operations
        for status, response in operation["responses"].items()
        for code in _codes(response)
    }

    assert told == {(code.value, str(STATUS[code])) for code in ProblemCode}


def _codes(response: dict[str, Any]) -> list[str]:
    content = response["content"].get(PROBLEM_MEDIA_TYPE)
    return content["schema"]["properties"]["code"]["enum"] if content else []


def test_the_exit_codes_are_the_real_ones() -> None:
    text = DOCUMENT.read_text()

    assert f"code {EXIT_BAD_SETTINGS} for its settings, {EXIT_FAILED} for anything else" in text
