"""`/v2/workflows`: identifiers, steps, issues and limits."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.contract.novu.made import jobs, make, send, step
from tests.contract.novu.sink_process import SinkProcess

_WORKFLOWS = "/v2/workflows"
_PREFERENCES: dict[str, Any] = {"user": None, "workflow": None}


def _body(*steps: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"name": "acme order", "workflowId": "acme-order", "steps": list(steps), **members}


def _update(*steps: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"name": "acme order", "preferences": _PREFERENCES, "steps": list(steps), **members}


async def test_what_is_made_can_be_read_by_its_identifier_and_by_its_id(api: httpx.AsyncClient) -> None:
    answer = await api.post(_WORKFLOWS, json=_body(step("sms", body="a"), description="kept by XNovu", tags=["xnovu"]))

    made = answer.json()["data"]
    assert answer.status_code == 201
    assert (made["workflowId"], made["status"], made["origin"], made["tags"]) == (
        "acme-order",
        "ACTIVE",
        "novu-cloud",
        ["xnovu"],
    )
    for key in ("acme-order", made["_id"]):
        assert (await api.get(f"{_WORKFLOWS}/{key}")).json()["data"] == made


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", _update()), ("DELETE", None)])
async def test_an_absent_workflow_is_404(api: httpx.AsyncClient, method: str, body: Any) -> None:
    answer = await api.request(method, f"{_WORKFLOWS}/nowhere", json=body)

    assert answer.status_code == 404
    assert (answer.json()["message"], answer.json()["workflowId"]) == ("Workflow cannot be found", "nowhere")


async def test_a_taken_identifier_gets_a_random_end(api: httpx.AsyncClient) -> None:
    made = [(await api.post(_WORKFLOWS, json=_body())).json()["data"]["workflowId"] for _ in range(2)]

    assert made[0] == "acme-order"
    assert made[1].startswith("acme-order-")


async def test_before_august_2025_the_identifier_comes_from_the_name(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(workflow_identifiers="derived")

    made = [await api.post(_WORKFLOWS, json=_body(name="Other Name")) for _ in range(2)]

    identifiers = [answer.json()["data"]["workflowId"] for answer in made]
    assert identifiers[0] == "other-name"
    assert identifiers[1].startswith("other-name-")


async def test_put_replaces_what_is_there(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    [before] = (await make(api, step("sms", body="before")))["steps"]
    steps = [{**step("sms", body="after"), "_id": before["_id"], "name": "renamed"}, step("in_app", body="new")]

    answer = await api.put(f"{_WORKFLOWS}/made", json=_update(*steps, active=True))
    await send(api, sink)

    assert answer.status_code == 200
    replaced = answer.json()["data"]
    assert [one["_id"] == before["_id"] for one in replaced["steps"]] == [True, False]
    assert (replaced["workflowId"], replaced["steps"][0]["stepId"]) == ("made", before["stepId"])
    assert [job["type"] for job in await jobs(api)] == ["sms", "in_app"]


@pytest.mark.parametrize("key", ["_id", "stepId", "name"])
async def test_steps_are_matched_by_id_then_step_id_then_name(api: httpx.AsyncClient, key: str) -> None:
    [before] = (await make(api, {**step("sms", body="a"), "stepId": "xnovu-sms"}))["steps"]
    changed = {"type": "sms", "name": "another name", "controlValues": {"body": "b"}, key: before[key]}

    answer = await api.put(f"{_WORKFLOWS}/made", json=_update(changed))

    assert answer.json()["data"]["steps"][0]["_id"] == before["_id"]


@pytest.mark.parametrize(
    ("controls", "kept"),
    [({}, {"body": "a"}), ({"controlValues": None}, {}), ({"controlValues": {"body": "b"}}, {"body": "b"})],
)
async def test_absent_control_values_stay_and_null_deletes_them(
    api: httpx.AsyncClient, controls: dict[str, Any], kept: dict[str, Any]
) -> None:
    [before] = (await make(api, step("sms", body="a")))["steps"]
    changed = {"type": "sms", "name": "sms", "_id": before["_id"], **controls}

    answer = await api.put(f"{_WORKFLOWS}/made", json=_update(changed))

    assert answer.json()["data"]["steps"][0]["controlValues"] == kept


async def test_a_step_that_put_leaves_out_is_removed(api: httpx.AsyncClient) -> None:
    await make(api, step("sms", body="a"), step("chat", body="a"))

    answer = await api.put(f"{_WORKFLOWS}/made", json=_update(step("chat", body="a")))

    assert [one["type"] for one in answer.json()["data"]["steps"]] == ["chat"]


async def test_the_origin_in_the_body_is_ignored(api: httpx.AsyncClient) -> None:
    assert (await make(api, origin="external"))["origin"] == "novu-cloud"


async def test_for_a_moment_triggers_may_not_find_a_new_workflow(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(workflow_lag_seconds=60)
    await make(api, step("sms", body="a"))

    at_once = await api.post("/v1/events/trigger", json={"name": "made", "to": "ada"})
    sink.settings(workflow_lag_seconds=0.01)
    await asyncio.sleep(0.02)
    then = await api.post("/v1/events/trigger", json={"name": "made", "to": "ada"})

    assert (at_once.status_code, then.status_code) == (422, 201)


async def test_deleting_is_204_and_triggers_are_refused_again(api: httpx.AsyncClient) -> None:
    await make(api, step("sms", body="a"))

    assert (await api.delete(f"{_WORKFLOWS}/made")).status_code == 204
    assert (await api.post("/v1/events/trigger", json={"name": "made", "to": "ada"})).status_code == 422


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ({"body": "<p>a</p>"}, ""),
        ({"body": "<p>a</p>", "editorType": "block"}, ""),
        ({"body": '{"type":"doc"}', "editorType": "block"}, '{"type":"doc"}'),
        ({"body": "<p>a</p>", "editorType": "html"}, "<p>a</p>"),
    ],
)
async def test_the_block_editor_is_the_default_and_saves_html_empty(
    api: httpx.AsyncClient, email: dict[str, Any], kept: str
) -> None:
    controls = {"type": "email", "name": "email", "controlValues": {"subject": "a", **email}}

    assert (await make(api, controls))["steps"][0]["controlValues"]["body"] == kept


@pytest.mark.parametrize(
    ("wrong", "key", "issue"),
    [
        (step("sms", body="{{ nobody.name }}"), "body", "ILLEGAL_VARIABLE_IN_CONTROL_VALUE"),
        (step("sms", body="{{ payload.name | shout }}"), "body", "INVALID_FILTER_ARG_IN_VARIABLE"),
        (
            step("in_app", body="a", redirect={"url": "not an address", "target": "_self"}),
            "redirect.url",
            "INVALID_URL",
        ),
        (step("email", subject="", body="<p>a</p>"), "subject", "MISSING_VALUE"),
        (step("sms", body=""), "body", "MISSING_VALUE"),
        (step("email", body="<p>a</p>", colour="red"), "colour", "UNSUPPORTED_PROPERTY"),
        (step("delay", type="regular", amount=31, unit="days"), "amount", "TIER_LIMIT_EXCEEDED"),
        (step("sms", body="a", skip={"==": [{"var": "order.id"}, 1]}), "skip", "ILLEGAL_VARIABLE_IN_CONTROL_VALUE"),
        (step("sms", body="a", skip={"<": [{"var": "payload.n"}, None]}), "skip", "MISSING_VALUE"),
        (step("sms", body="a", skip={"almost": [{"var": "payload.n"}, 1]}), "skip", "MISSING_VALUE"),
    ],
)
async def test_issues_are_saved_and_are_the_only_complaint(
    api: httpx.AsyncClient, wrong: dict[str, Any], key: str, issue: str
) -> None:
    made = await make(api, wrong)

    assert made["status"] == "ERROR"
    [found] = made["steps"][0]["issues"]["controls"][key]
    assert found["issueType"] == issue
    assert found["message"]


@pytest.mark.parametrize("operator", ["==", "!="])
async def test_null_may_be_compared_for_equality(api: httpx.AsyncClient, operator: str) -> None:
    made = await make(api, step("sms", body="a", skip={operator: [{"var": "payload.rendered.SMS"}, None]}))

    assert (made["status"], made["steps"][0]["issues"]) == ("ACTIVE", {})


@pytest.mark.parametrize(("plan", "days"), [("free", 1), ("pro", 7), ("team", 30)])
async def test_a_delay_longer_than_the_plan_allows_is_an_issue(
    api: httpx.AsyncClient, sink: SinkProcess, plan: str, days: int
) -> None:
    sink.settings(plan=plan)

    made = [
        await make(api, step("delay", type="regular", amount=amount, unit="days"), workflow_id=f"delay-{amount}")
        for amount in (days, days + 1)
    ]

    assert [one["status"] for one in made] == ["ACTIVE", "ERROR"]


async def test_a_channel_without_an_active_integration_is_an_issue(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.order("integrations", channel="sms", active=False)

    made = await make(api, step("sms", body="a"))

    assert made["status"] == "ERROR"
    assert "sms" in made["steps"][0]["issues"]["integration"]
    active = (await api.get("/v1/integrations/active")).json()["data"]
    assert {one["channel"] for one in active} == {"email", "in_app", "push", "chat"}
    assert {"channel", "providerId", "active", "primary", "identifier"} <= set(active[0])


@pytest.mark.parametrize(("variable", "status"), [("order", "ACTIVE"), ("rendered", "ERROR")])
async def test_with_a_payload_schema_only_what_it_declares_is_legal(
    api: httpx.AsyncClient, variable: str, status: str
) -> None:
    schema = {"type": "object", "properties": {"order": {}}}

    made = await make(api, step("sms", body=f"{{{{ payload.{variable}.x }}}}"), payloadSchema=schema)

    assert made["status"] == status


async def test_an_inactive_workflow_says_so(api: httpx.AsyncClient) -> None:
    assert (await make(api, step("sms", body=""), active=False))["status"] == "INACTIVE"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"name": ""}, "name must be longer"),
        ({"name": "n" * 129}, "name must be shorter"),
        ({"description": "d" * 257}, "description must be shorter"),
        ({"tags": ["t"] * 17}, "tags must contain no more than 16"),
        ({"tags": ["t" * 65]}, "each value in tags"),
        ({"workflowId": "two words"}, "workflowId must be a valid slug"),
        ({"workflowId": "-order"}, "workflowId must be a valid slug"),
        ({"workflowId": "a..b"}, "workflowId must be a valid slug"),
        ({"workflowId": None}, "workflowId must be a valid slug"),
        ({"steps": [step("sms", body="a")] * 21}, "steps must contain no more than 20"),
        ({"steps": [{"type": "sms", "name": "n" * 129}]}, "steps.0.name must be shorter"),
        ({"steps": [{"type": "pigeon", "name": "n"}]}, "steps.0.type must be one of"),
    ],
)
async def test_what_is_over_a_limit_is_refused(api: httpx.AsyncClient, wrong: dict[str, Any], complaint: str) -> None:
    answer = await api.post(_WORKFLOWS, json={**_body(), **wrong})

    assert answer.status_code == 422
    assert complaint in answer.json()["errors"]["general"]["messages"][0]


@pytest.mark.parametrize(
    "limits",
    [
        {"name": "n" * 128, "description": "d" * 256, "tags": ["t" * 64] * 16},
        {"steps": [step("sms", body="a")] * 20},
        {"workflowId": "A1.b_c-D"},
    ],
)
async def test_what_is_at_a_limit_is_saved(api: httpx.AsyncClient, limits: dict[str, Any]) -> None:
    answer = await api.post(_WORKFLOWS, json={**_body(), **limits})

    assert answer.status_code == 201
    step_ids = [one["stepId"] for one in answer.json()["data"]["steps"]]
    assert len(set(step_ids)) == len(step_ids)


async def test_put_needs_preferences(api: httpx.AsyncClient) -> None:
    await make(api)

    answer = await api.put(f"{_WORKFLOWS}/made", json={"name": "made", "steps": []})

    assert answer.status_code == 422
    assert answer.json()["errors"]["general"]["messages"] == ["preferences must be an object"]


@pytest.mark.parametrize(("plan", "most"), [("free", 20), ("pro", 20), ("team", 100)])
async def test_a_plan_has_so_many_workflows(api: httpx.AsyncClient, sink: SinkProcess, plan: str, most: int) -> None:
    here = len((await api.get(_WORKFLOWS, params={"limit": 100})).json()["data"]["workflows"])
    sink.order("workflows", make=[f"w{number}" for number in range(most - 1 - here)])
    sink.settings(plan=plan)

    answers = [await api.post(_WORKFLOWS, json=_body(name=name, workflowId=name)) for name in ("last", "over")]

    assert [answer.status_code for answer in answers] == [201, 400]


async def test_workflows_are_listed_by_tag_and_page(api: httpx.AsyncClient) -> None:
    for number in range(3):
        await make(api, step("sms", body="a"), workflow_id=f"ours-{number}", tags=["xnovu"])

    first = (await api.get(_WORKFLOWS, params={"tags": "xnovu", "limit": 2})).json()["data"]
    second = (await api.get(_WORKFLOWS, params={"tags": "xnovu", "limit": 2, "offset": 2})).json()["data"]

    assert first["totalCount"] == 3
    assert [one["workflowId"] for one in [*first["workflows"], *second["workflows"]]] == ["ours-0", "ours-1", "ours-2"]


async def test_a_step_can_be_tried_out(api: httpx.AsyncClient) -> None:
    await make(api, step("email", subject="{{ payload.s }}", body="<p>{{ payload.s }}</p>"))
    tried = {"previewPayload": {"payload": {"s": "Hi"}}}

    answer = await api.post(f"{_WORKFLOWS}/made/step/email/preview", json=tried)

    assert answer.json()["data"]["result"] == {"type": "email", "preview": {"subject": "Hi", "body": "<p>Hi</p>"}}
    assert (await api.post(f"{_WORKFLOWS}/made/step/nowhere/preview", json=tried)).status_code == 404
