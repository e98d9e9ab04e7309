"""Environments, and how workflows go from one to another."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.novu.made import make, step
from tests.contract.novu.sink_process import SinkProcess


@pytest.fixture
def production(sink: SinkProcess) -> dict[str, Any]:
    return sink.environment("Production")


async def _there(api: httpx.AsyncClient, production: dict[str, Any], workflow_id: str = "made") -> httpx.Response:
    headers = {"Authorization": f"ApiKey {production['key']}"}
    return await api.get(f"/v2/workflows/{workflow_id}", headers=headers)


async def test_environments_are_listed(api: httpx.AsyncClient) -> None:
    listed = (await api.get("/v1/environments")).json()["data"]

    assert [(one["name"], one["type"]) for one in listed] == [("Development", "dev"), ("Production", "prod")]
    assert listed[1]["_parentId"] == listed[0]["_id"]
    assert all(len(one["_id"]) == 24 for one in listed)


@pytest.mark.parametrize(("generation", "holds_key"), [("2024", False), ("current", True)])
async def test_a_key_knows_its_environment(
    api: httpx.AsyncClient, sink: SinkProcess, generation: str, holds_key: bool
) -> None:
    sink.settings(generation=generation)

    me = (await api.get("/v1/environments/me")).json()["data"]

    assert (me["name"], me["type"], me["identifier"]) == (
        "Development",
        "dev",
        sink.environment("Development")["identifier"],
    )
    assert ("apiKeys" in me) == holds_key


async def test_one_workflow_is_published_by_sync(api: httpx.AsyncClient, production: dict[str, Any]) -> None:
    await make(api, step("sms", body="a"))
    assert (await _there(api, production)).status_code == 404

    answer = await api.put("/v2/workflows/made/sync", json={"targetEnvironmentId": production["id"]})

    assert answer.status_code == 200
    here = (await api.get("/v2/workflows/made")).json()["data"]
    there = (await _there(api, production)).json()["data"]
    assert (there["workflowId"], there["steps"][0]["stepId"]) == (here["workflowId"], here["steps"][0]["stepId"])
    assert there["_id"] != here["_id"]


async def test_sync_keeps_the_ids_of_the_target(api: httpx.AsyncClient, production: dict[str, Any]) -> None:
    await make(api, step("sms", body="a"))
    for _ in range(2):
        await api.put("/v2/workflows/made/sync", json={"targetEnvironmentId": production["id"]})
        found = (await _there(api, production)).json()["data"]
        ids = [found["_id"], found["steps"][0]["_id"]]

    assert (await _there(api, production)).json()["data"]["_id"] == ids[0]
    assert (await _there(api, production)).json()["data"]["steps"][0]["_id"] == ids[1]


@pytest.mark.parametrize(("target", "status"), [("Development", 400), ("f" * 24, 404), (None, 404)])
async def test_a_wrong_target_is_refused(
    api: httpx.AsyncClient, sink: SinkProcess, target: str | None, status: int
) -> None:
    await make(api)
    target_id = sink.environment(target)["id"] if target == "Development" else target

    answer = await api.put("/v2/workflows/made/sync", json={"targetEnvironmentId": target_id})

    assert answer.status_code == status


async def test_a_workflow_written_in_code_cannot_be_published(
    api: httpx.AsyncClient, sink: SinkProcess, production: dict[str, Any]
) -> None:
    sink.order("workflows", make=["coded"], origin="external")

    answer = await api.put("/v2/workflows/coded/sync", json={"targetEnvironmentId": production["id"]})
    await api.post(f"/v2/environments/{production['id']}/publish", json={})

    assert answer.status_code == 400
    assert (await _there(api, production, "coded")).status_code == 404


async def test_many_are_published_and_what_is_the_same_is_skipped(
    api: httpx.AsyncClient, production: dict[str, Any]
) -> None:
    await make(api, step("sms", body="a"))
    publish = f"/v2/environments/{production['id']}/publish"
    named = {"resources": [{"resourceType": "workflow", "resourceId": "made"}]}

    tried = (await api.post(publish, json={"dryRun": True, **named})).json()["data"]
    nothing_there = (await _there(api, production)).status_code
    first = (await api.post(publish, json=named)).json()["data"]
    second = (await api.post(publish, json=named)).json()["data"]

    assert nothing_there == 404
    assert tried == first
    assert [one["resourceId"] for one in first["results"][0]["successful"]] == ["made"]
    assert [one["resourceId"] for one in second["results"][0]["skipped"]] == ["made"]
    assert first["results"][0]["totalProcessed"] == 1
    assert first["summary"]["successful"] == 1


async def test_without_names_everything_is_published(api: httpx.AsyncClient, production: dict[str, Any]) -> None:
    await api.post(f"/v2/environments/{production['id']}/publish", json={})

    assert (await _there(api, production, "welcome")).status_code == 200


async def test_a_diff_shows_it_before(api: httpx.AsyncClient, production: dict[str, Any]) -> None:
    diff = f"/v2/environments/{production['id']}/diff"
    await api.post(f"/v2/environments/{production['id']}/publish", json={})
    nothing = (await api.post(diff, json={})).json()["data"]

    await api.patch("/v2/workflows/welcome", json={"description": "changed"})
    changed = (await api.post(diff, json={})).json()["data"]

    assert (nothing["resources"], nothing["summary"]["hasChanges"]) == ([], False)
    [resource] = changed["resources"]
    assert (resource["sourceResource"]["id"], resource["changes"]) == ("welcome", [{"field": "description"}])
