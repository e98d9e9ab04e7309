"""The OpenAPI document: it is what the code is, and what the functions do."""

import asyncio
import copy
import json
import sys
from pathlib import Path
from typing import Any

from functions.openapi import openapi_document
from tests.contract.functions.bench import OPERATOR, OPERATOR_KEY, TENANT, Bench
from tests.contract.functions.framework import serving

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


async def test_the_document_in_docs_is_the_one_served(bench: Bench) -> None:
    served = await bench.trigger.get("/openapi.json", headers=OPERATOR)

    assert served.json() == openapi_document() == json.loads(DOCUMENT.read_text(encoding="utf-8"))


async def test_the_trigger_function_does_what_the_document_says(bench: Bench, tmp_path: Path) -> None:
    ids = [await bench.insert(bench.ours) for _ in range(3)]
    run = (await bench.trigger.post("/trigger", json={"notificationId": ids[0]}, headers=TENANT)).json()
    document = _about_what_is_there(bench, ids, run["workflowId"])

    async with serving("trigger", bench.environment, tmp_path) as function:
        code, said = await _schemathesis(document, "/trigger", function.url, tmp_path)

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


async def _schemathesis(document: dict[str, Any], path: str, url: str, directory: Path) -> tuple[int | None, str]:
    """Call the function in every way that the document allows and in many that it does not; its verdict."""
    file = directory / "openapi.json"
    file.write_text(json.dumps(document))
    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS,
        "run",
        str(file),
        f"--url={url}",
        f"--include-path={path}",
        f"--header=X-Api-Key:{OPERATOR_KEY}",
        "--phases=coverage,fuzzing",
        "--max-time=15",
        "--generation-allow-x00=false",
        "--generation-database=none",
        "--no-color",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()
