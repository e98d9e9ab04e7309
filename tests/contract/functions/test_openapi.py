"""The OpenAPI document: it is what the code is, and what the functions do."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from functions.openapi import openapi_document
from tests.contract.functions.bench import OPERATOR, TENANT, Bench
from tests.contract.functions.framework import schemathesis, serving

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"


async def test_the_document_in_docs_is_the_one_served(bench: Bench) -> None:
    served = await bench.trigger.get("/openapi.json", headers=OPERATOR)

    assert served.json() == openapi_document() == json.loads(DOCUMENT.read_text(encoding="utf-8"))


@pytest.mark.parametrize("examples", [60, pytest.param(200, marks=pytest.mark.whole)])
async def test_the_trigger_function_does_what_the_document_says(bench: Bench, tmp_path: Path, examples: int) -> None:
    ids = [await bench.insert(bench.ours) for _ in range(3)]
    run = (await bench.trigger.post("/trigger", json={"notificationId": ids[0]}, headers=TENANT)).json()
    document = _about_what_is_there(bench, ids, run["workflowId"])

    async with serving("trigger", bench.environment, tmp_path) as function:
        code, said = await schemathesis(document, "/trigger", function.url, tmp_path, examples=examples)

    assert code == 0, said


def _about_what_is_there(bench: Bench, ids: list[int], workflow_id: str) -> dict[str, Any]:
    """The document with names narrowed to those that exist: otherwise hardly a call would get past 404."""
    document = copy.deepcopy(openapi_document())
    schemas = document["components"]["schemas"]
    schemas["TriggerOne"]["properties"]["notificationId"]["enum"] = ids
    schemas["TriggerMany"]["properties"]["notificationIds"]["items"]["enum"] = ids
    schemas["CreateAndSend"]["properties"]["enterpriseId"]["enum"] = [bench.ours.enterprise_id]
    schemas["CreateAndSend"]["properties"]["workflowKey"]["enum"] = [bench.workflow_key]
    document["paths"]["/trigger"]["get"]["parameters"][0]["schema"]["enum"] = [workflow_id]
    return document
