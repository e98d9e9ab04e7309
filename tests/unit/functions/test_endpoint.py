"""What nobody foresaw is a problem object too, and says nothing of what it met."""

import json
import logging

import pytest
from starlette.requests import Request
from starlette.responses import Response

from functions.endpoint import Endpoint
from shared import json_logs

PERSON = "zanzibar@example.org"


async def fail(request: Request) -> Response:
    raise ValueError(f"no such person: {PERSON}")


async def test_a_foreign_exception_is_an_internal_error_and_its_text_goes_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.handler.setFormatter(json_logs.Formatter())
    endpoint = Endpoint("trigger", {"POST": fail})
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}

    with caplog.at_level(logging.DEBUG):
        answer = await endpoint(Request(scope))

    problem = json.loads(bytes(answer.body))
    assert (answer.status_code, problem["code"]) == (500, "internal_error")
    assert PERSON not in str(problem)
    [line] = [json.loads(line) for line in caplog.text.splitlines() if '"part_failed"' in line]
    assert line["exc_info"].endswith("ValueError")
    assert "in fail" in line["exc_info"]
    assert PERSON not in caplog.text
