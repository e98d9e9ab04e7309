"""Novu's workflows are kept as the rows want them: plan, apply, publish, check, against Novu's interface."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from cli.action import Action
from cli.novu.api import NovuApi, NovuFailed
from cli.novu.apply import Applied, Applying
from cli.novu.check import check_workflows
from cli.novu.plan import Plan, Wish, make_plan
from cli.novu.publish import UnknownEnvironment, compare, publish
from cli.novu.rows import Scope
from shared.notification.models import Channel
from shared.novu.rates import RateKeeper, limits_of
from tests.contract.novu.events import event_body
from tests.contract.novu.kept_rows import KeptRows, a_row
from tests.contract.novu.made import ADA, make, step
from tests.contract.novu.sink_process import SinkProcess
from tests.unit.novu.rates.doubles import SharedTokens

FIVE = ("EMAIL", "IN_APP", "SMS", "PUSH", "CHAT")


@pytest.fixture
async def keeping(sink: SinkProcess, api: httpx.AsyncClient) -> NovuApi:
    return NovuApi(api, RateKeeper(SharedTokens(), limits_of("unlimited", {})))


@pytest.fixture
async def production(sink: SinkProcess, api: httpx.AsyncClient) -> AsyncIterator[NovuApi]:
    headers = {"Authorization": f"ApiKey {sink.environment('Production')['key']}"}
    async with httpx.AsyncClient(base_url=sink.url, headers=headers) as client:
        yield NovuApi(client)


async def apply(api: NovuApi, rows: KeptRows, wish: Wish | None = None) -> tuple[Plan, Applied]:
    wish = wish or Wish()
    plan = await make_plan(api, rows, wish)
    return plan, await Applying(api, rows, plan, wish, done=lambda _: None).run()


async def todo(api: NovuApi, rows: KeptRows, wish: Wish | None = None) -> dict[str, Action]:
    """What a plan would do or refuses, by key."""
    plan = await make_plan(api, rows, wish or Wish())
    return {it.key: it.action for it in plan.steps if it.action is not Action.UNCHANGED}


async def requests_of(sink: SinkProcess, work: Any) -> list[str]:
    """The requests to Novu that the work makes."""
    before = len(_requests(sink))
    await work
    return _requests(sink)[before:]


def _requests(sink: SinkProcess) -> list[str]:
    answer = sink.client.get("/_sink/requests", params={"all": ""}).raise_for_status().json()["requests"]
    return [f"{it['method']} {it['path']}" for it in answer]


async def test_a_plan_after_apply_is_empty_and_was_not_before(keeping: NovuApi) -> None:
    rows = KeptRows(a_row("acme-order", *FIVE), a_row("acme-code", "SMS"))
    assert await todo(keeping, rows) == {"acme-order": Action.CREATE, "acme-code": Action.CREATE}

    _, applied = await apply(keeping, rows)

    assert (len(applied.done), applied.failed, applied.findings) == (2, {}, [])
    assert await todo(keeping, rows) == {}
    assert await todo(keeping, rows, Wish(full=True)) == {}


@pytest.mark.parametrize("channel", FIVE)
async def test_a_row_for_one_channel_brings_one_message_in_it_and_nothing_else(
    keeping: NovuApi, sink: SinkProcess, api: httpx.AsyncClient, channel: str
) -> None:
    await apply(keeping, KeptRows(a_row("acme-order", *FIVE)))
    sink.settings(addresses="assumed")
    rendered = {channel: {"subject": "Your code", "body": "0"}}

    body = event_body("t1", name="acme-order", to=ADA, payload={"rendered": rendered})
    assert (await api.post("/v1/events/trigger", json=body)).status_code == 201

    sent = {kind: counts for kind, counts in sink.ends().items() if counts != {"skipped": 1}}
    assert sent == {channel.lower(): {"sent": 1}}
    [message] = (await api.get("/v1/messages")).json()["data"]
    assert "0" in str(message["content"])


async def test_what_has_not_changed_is_not_read_and_what_somebody_edited_is(
    keeping: NovuApi, sink: SinkProcess, api: httpx.AsyncClient
) -> None:
    rows = KeptRows(*(a_row(f"acme-{number}") for number in range(5)))
    await apply(keeping, rows)

    asked = await requests_of(sink, make_plan(keeping, rows, Wish()))

    assert sorted(asked) == ["GET /v1/environments/me", "GET /v1/integrations/active", "GET /v2/workflows"]
    await asyncio.sleep(0.002)  # Novu's instants are milliseconds
    await api.patch("/v2/workflows/acme-3", json={"name": "Edited"})
    plan = await make_plan(keeping, rows, Wish())
    assert [(it.key, [change.path for change in it.changes]) for it in plan.todo] == [("acme-3", ["name"])]


async def test_a_row_that_changes_is_an_update_that_keeps_what_is_novus(
    keeping: NovuApi, api: httpx.AsyncClient
) -> None:
    rows = KeptRows(a_row("acme-order", "EMAIL", "SMS"))
    await apply(keeping, rows)
    before = (await api.get("/v2/workflows/acme-order")).json()["data"]
    rows.rows = [a_row("acme-order", "SMS", "PUSH")]

    plan, applied = await apply(keeping, rows)

    assert [(change.path, change.after) for change in plan.todo[0].changes] == [
        ("steps.xnovu-push", "push"),
        ("steps.xnovu-email", None),
    ]
    assert not applied.failed
    after = (await api.get("/v2/workflows/acme-order")).json()["data"]
    assert after["_id"] == before["_id"]
    assert {step["type"]: step["_id"] for step in after["steps"]}["sms"] == before["steps"][1]["_id"]
    [noted] = rows.noted[plan.environment.id].values()
    assert noted.channels == (Channel.SMS, Channel.PUSH)


async def test_what_others_made_is_refused_until_it_is_adopted(keeping: NovuApi, api: httpx.AsyncClient) -> None:
    theirs = [step("in_app", body="theirs", subject="{{payload.title}}"), {**step("sms", body="theirs"), "name": "SMS"}]
    await make(api, *theirs, workflow_id="acme-order", tags=["news"])
    rows = KeptRows(a_row("acme-order", "SMS", "IN_APP"))

    plan, applied = await apply(keeping, rows)

    [refused] = plan.steps
    assert (refused.action, applied.done) == (Action.REFUSED, [])
    assert refused.reason is not None
    assert "--adopt acme-order" in refused.reason
    assert (await api.get("/v2/workflows/acme-order")).json()["data"]["tags"] == ["news"]
    for adopt in ("other", "acme-order"):
        await apply(keeping, rows, Wish(adopt=frozenset({adopt})))
    assert (await api.get("/v2/workflows/acme-order")).json()["data"]["tags"] == ["news", "xnovu"]
    assert await todo(keeping, rows, Wish(full=True)) == {}


async def test_a_workflow_written_in_code_cannot_even_be_adopted(keeping: NovuApi, sink: SinkProcess) -> None:
    sink.order("workflows", make=["acme-order"], origin="external")

    assert await todo(keeping, KeptRows(a_row()), Wish(adopt=frozenset({"all"}))) == {"acme-order": Action.REFUSED}


async def test_what_belongs_to_no_row_is_told_and_deleted_only_if_asked(
    keeping: NovuApi, api: httpx.AsyncClient
) -> None:
    await make(api, step("sms", body="x"), workflow_id="others", tags=["xnovu"])
    rows = KeptRows(a_row("acme-order"), a_row("acme-old"))
    await apply(keeping, rows)
    rows.rows.pop()

    plan, _ = await apply(keeping, rows)

    assert {it.key: it.action for it in plan.steps} == {"acme-order": Action.UNCHANGED, "acme-old": Action.LEFT}
    assert plan.elsewhere == 1
    assert await todo(keeping, rows, Wish(scope=Scope(("acme",)))) == {}
    await apply(keeping, rows, Wish(prune=True))
    assert (await api.get("/v2/workflows/acme-old")).status_code == 404
    assert (await api.get("/v2/workflows/others")).status_code == 200
    assert await todo(keeping, rows, Wish(prune=True)) == {}


async def test_two_hundred_workflows_stay_within_the_free_plans_rate(
    keeping: NovuApi, sink: SinkProcess, record_property: Callable[[str, object], None]
) -> None:
    sink.settings(plan="free", workflows_allowed=300)
    rows = KeptRows(*(a_row(f"acme-{number}", *FIVE) for number in range(200)))
    started = time.monotonic()

    _, applied = await apply(keeping, rows)

    seconds = time.monotonic() - started
    statuses = sink.client.get("/_sink/requests", params={"all": ""}).json()["requests"]
    assert (len(applied.done), applied.failed) == (200, {})
    assert 200 <= len(statuses) <= 210
    assert [it for it in statuses if it["answer"] >= 400] == []
    record_property("200 workflows made within the free plan's rate, seconds", round(seconds, 1))
    sink.settings(plan="unlimited")
    assert await todo(keeping, rows) == {}


async def test_it_waits_for_the_tokens_that_workers_have_taken(sink: SinkProcess, api: httpx.AsyncClient) -> None:
    tokens = SharedTokens()
    limits = limits_of("unlimited", {"configuration": 10.0})
    worker, command = RateKeeper(tokens, limits), RateKeeper(tokens, limits)
    for _ in range(25):
        assert await worker.take("configuration", "acme", within_seconds=60) is None
    given = tokens.given

    await apply(NovuApi(api, command), KeptRows(*(a_row(f"acme-{number}") for number in range(4))))

    assert tokens.given - given >= 5, "a list and four workflows, of the ten a second that are for both"


async def test_the_plans_limit_is_one_failure_for_each_and_no_request_more(keeping: NovuApi, sink: SinkProcess) -> None:
    sink.settings(workflows_allowed=6)
    rows = KeptRows(*(a_row(f"acme-{number}") for number in range(30)))

    _, applied = await apply(keeping, rows)

    assert (len(applied.done), len(applied.failed)) == (2, 28)  # four samples are there
    assert "limit" in str(applied.failed["acme-29"])
    refused = [it for it in _requests(sink) if it == "POST /v2/workflows"]
    assert len(refused) < 15


async def test_two_machines_at_once_end_in_one_state(keeping: NovuApi, api: httpx.AsyncClient) -> None:
    rows = KeptRows(*(a_row(f"acme-{number}", "EMAIL", "SMS") for number in range(20)))
    plans = [await make_plan(keeping, rows, Wish()) for _ in range(2)]

    results = await asyncio.gather(
        *(Applying(keeping, rows, plan, Wish(), done=lambda _: None).run() for plan in plans)
    )

    assert [len(it.done) for it in results] == [20, 20]
    listed = await keeping.list_workflows()
    assert sorted(it.key for it in listed if "xnovu" in it.tags) == sorted(row.key for row in rows.rows)
    assert await todo(keeping, rows, Wish(full=True)) == {}


async def test_a_late_plan_does_not_take_over_what_somebody_made_meanwhile(
    keeping: NovuApi, api: httpx.AsyncClient
) -> None:
    rows = KeptRows(a_row())
    plan = await make_plan(keeping, rows, Wish())
    await make(api, step("sms", body="theirs"), workflow_id="acme-order")

    applied = await Applying(keeping, rows, plan, Wish(), done=lambda _: None).run()

    assert "--adopt acme-order" in applied.failed["acme-order"].hint
    assert len([it for it in await keeping.list_workflows() if it.key.startswith("acme-order")]) == 1


async def test_what_is_deleted_between_plan_and_apply_is_made_anew(keeping: NovuApi, api: httpx.AsyncClient) -> None:
    rows = KeptRows(a_row("acme-order", "SMS"))
    await apply(keeping, rows)
    rows.rows = [a_row("acme-order", "EMAIL")]
    plan = await make_plan(keeping, rows, Wish())
    await api.delete("/v2/workflows/acme-order")

    applied = await Applying(keeping, rows, plan, Wish(), done=lambda _: None).run()

    assert not applied.failed
    assert await todo(keeping, rows) == {}


async def test_a_lost_answer_leaves_no_second_workflow(keeping: NovuApi, sink: SinkProcess) -> None:
    rows = KeptRows(a_row())
    plan = await make_plan(keeping, rows, Wish())
    sink.fail({"kind": "reset_connection", "path": "/v2/workflows"})

    applied = await Applying(keeping, rows, plan, Wish(), done=lambda _: None).run()

    assert not applied.failed
    assert [it.key for it in await keeping.list_workflows() if "xnovu" in it.tags] == ["acme-order"]


async def test_a_novu_that_chooses_identifiers_itself_keeps_nothing_of_it(keeping: NovuApi, sink: SinkProcess) -> None:
    sink.settings(workflow_identifiers="derived")
    fits = replace(a_row("acme-order"), name="Acme order")

    _, applied = await apply(keeping, KeptRows(a_row("acme-code"), fits))

    assert [it.key for it in applied.done] == ["acme-order"]
    assert "name-of-acme-code" in str(applied.failed["acme-code"])
    assert [it.key for it in await keeping.list_workflows() if "xnovu" in it.tags] == ["acme-order"]


async def test_a_novu_of_2024_says_that_its_endpoint_is_closed(keeping: NovuApi, sink: SinkProcess) -> None:
    sink.settings(generation="2024")

    with pytest.raises(NovuFailed) as failed:
        await make_plan(keeping, KeptRows(a_row()), Wish())

    assert "does not open /v2/workflows to API keys" in failed.value.hint
    assert (await make_plan(keeping, KeptRows(), Wish())).steps == []


async def test_integrations_and_issues_are_told(keeping: NovuApi, sink: SinkProcess, api: httpx.AsyncClient) -> None:
    rows = KeptRows(a_row("acme-a", "SMS"), a_row("acme-b", "EMAIL", "SMS"))
    _, applied = await apply(keeping, rows)
    await api.put("/v2/workflows/acme-b", json=await _with_a_schema(api, "acme-b"))
    sink.order("integrations", channel="sms", active=False)

    plan = await make_plan(keeping, rows, Wish())

    assert applied.findings == []
    assert "no active integration for SMS, which 2 workflows need" in plan.findings[0].message
    issues = [one for one in plan.findings if one.kind == "issue"]
    assert {one.key for one in issues} == {"acme-b"}
    assert "payload.rendered.EMAIL.body is not supported" in issues[1].message
    assert plan.todo == []


async def _with_a_schema(api: httpx.AsyncClient, key: str) -> dict[str, Any]:
    workflow = (await api.get(f"/v2/workflows/{key}")).json()["data"]
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    return {**workflow, "payloadSchema": schema, "preferences": {"user": None, "workflow": None}}


async def test_static_workflows_are_only_looked_at(keeping: NovuApi, api: httpx.AsyncClient) -> None:
    await make(api, step("sms", body="x"), workflow_id="there")
    await make(api, step("sms", body="x"), workflow_id="asleep", active=False)
    rows = KeptRows(*(a_row(key, static=True) for key in ("there", "asleep", "nowhere")))

    _, found = await check_workflows(keeping, rows, Scope(static=True))

    assert {one.key: one.kind for one in found} == {"asleep": "inactive", "nowhere": "missing"}
    assert (await check_workflows(keeping, rows, Scope()))[1] == []
    plan, _ = await apply(keeping, rows, Wish(scope=Scope(static=True)))
    assert (plan.steps, {one.key for one in plan.findings}) == ([], {"asleep", "nowhere"})


async def test_check_finds_what_is_missing_with_three_requests(
    keeping: NovuApi, sink: SinkProcess, api: httpx.AsyncClient
) -> None:
    await apply(keeping, KeptRows(*(a_row(f"acme-{number}", "SMS") for number in range(3))))
    await api.patch("/v2/workflows/acme-1", json={"active": False})
    sink.order("integrations", channel="email", active=False)
    rows = KeptRows(a_row("acme-0", "SMS"), a_row("acme-1", "SMS"), a_row("acme-2", "EMAIL", "SMS"), a_row("acme-3"))
    found: list[Any] = []

    asked = await requests_of(sink, _collect(found, check_workflows(keeping, rows, Scope())))

    assert len(asked) == 3
    assert [(one.key, one.kind) for one in found] == [
        ("acme-1", "inactive"),
        ("acme-2", "channel"),
        ("acme-3", "missing"),
        (None, "integration"),
    ]
    assert all(one.hint for one in found)


async def _collect(found: list[Any], checking: Any) -> None:
    _, findings = await checking
    found += findings


async def test_what_we_keep_is_published_and_nothing_else(
    keeping: NovuApi, production: NovuApi, sink: SinkProcess, api: httpx.AsyncClient
) -> None:
    rows = KeptRows(a_row("acme-order", "SMS"), a_row("acme-code", "SMS"))
    await apply(keeping, rows)
    await make(api, step("sms", body="x"), workflow_id="theirs")

    found = await compare(keeping, rows, "production", Scope())
    failed = await publish(keeping, rows, found)

    assert (sorted(found.created), failed) == (["acme-code", "acme-order"], {})
    assert sorted(it.key for it in await production.list_workflows()) == ["acme-code", "acme-order"]
    assert (await compare(keeping, rows, sink.environment("Production")["id"], Scope())).keys == []
    asked = await requests_of(sink, make_plan(production, rows, Wish()))
    assert len(asked) == 3
    assert await todo(production, rows) == {}
    rows.rows = [a_row("acme-order", "SMS", "PUSH"), a_row("acme-code", "SMS")]
    await apply(keeping, rows)
    again = await compare(keeping, rows, "Production", Scope())
    assert (again.created, dict(again.updated)) == ([], {"acme-order": ["steps"]})


async def test_a_target_that_is_unknown_or_the_source_is_refused_with_those_there_are(keeping: NovuApi) -> None:
    for name in ("nowhere", "Development"):
        with pytest.raises(UnknownEnvironment) as refused:
            await compare(keeping, KeptRows(a_row()), name, Scope())
        assert "Production (" in str(refused.value)
