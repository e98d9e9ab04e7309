"""Tokens by plan and category: what each request costs, and what the answers say of it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SinkProcess

EVENT: dict[str, Any] = {"method": "POST", "url": "/v1/events/trigger", "json": event_body()}
BULK: dict[str, Any] = {"method": "POST", "url": "/v1/events/trigger/bulk", "json": {"events": [event_body()]}}
SUBSCRIBER: dict[str, Any] = {"method": "POST", "url": "/v2/subscribers", "json": {"subscriberId": "ada"}}
SUBSCRIBERS: dict[str, Any] = {
    "method": "POST",
    "url": "/v1/subscribers/bulk",
    "json": {"subscribers": [{"subscriberId": "ada"}]},
}
WORKFLOW: dict[str, Any] = {"method": "GET", "url": "/v2/workflows/welcome"}
ACTIVITY: dict[str, Any] = {"method": "GET", "url": "/v1/notifications"}


@pytest.mark.parametrize(
    ("plan", "trigger", "configuration", "other"),
    [("free", 60, 20, 30), ("pro", 240, 80, 120), ("team", 600, 200, 300), ("enterprise", 6000, 2000, 3000)],
)
async def test_each_plan_has_its_rates(
    api: httpx.AsyncClient, sink: SinkProcess, plan: str, trigger: int, configuration: int, other: int
) -> None:
    sink.settings(plan=plan)

    for request, per_second, category in [
        (EVENT, trigger, "trigger"),
        (WORKFLOW, configuration, "configuration"),
        (ACTIVITY, other, "global"),
    ]:
        headers = (await api.request(**request)).headers
        assert headers["ratelimit-limit"] == str(per_second * 5)
        assert (
            f'w=5;burst={per_second * 55 // 10};comment="token bucket";category="{category}"'
            in headers["ratelimit-policy"]
        )


@pytest.mark.parametrize(
    ("request_", "most", "cost"),
    [(EVENT, 330, 1), (BULK, 330, 100), (SUBSCRIBER, 110, 1), (SUBSCRIBERS, 110, 100), (ACTIVITY, 165, 1)],
)
async def test_a_single_costs_one_token_and_any_bulk_a_hundred(
    api: httpx.AsyncClient, sink: SinkProcess, request_: dict[str, Any], most: int, cost: int
) -> None:
    sink.settings(plan="free")

    answer = await api.request(**request_)

    assert answer.headers["ratelimit-remaining"] == str(most - cost)


async def test_the_fourth_bulk_of_one_event_in_a_row_is_429_on_the_free_plan(
    api: httpx.AsyncClient, sink: SinkProcess
) -> None:
    sink.settings(plan="free")

    answers = await asyncio.gather(*(api.request(**BULK) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 429]
    [refused] = [answer for answer in answers if answer.status_code == 429]
    assert refused.json()["message"] == "API rate limit exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert {"ratelimit-remaining", "ratelimit-limit", "ratelimit-reset", "ratelimit-policy"} <= set(refused.headers)
    assert sink.summary()["events"] == 3


async def test_the_categories_do_not_pay_for_each_other(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(plan="free")
    for _ in range(4):
        await api.request(**BULK)

    assert (await api.request(**SUBSCRIBER)).status_code == 201
    assert (await api.request(**ACTIVITY)).status_code == 200


async def test_400_singles_in_a_row_pass_at_the_free_plans_pace(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(plan="free")
    for _ in range(3):
        await api.request(**BULK)

    answers = [await api.request(**EVENT) for _ in range(30)]

    assert {answer.status_code for answer in answers} == {201}


async def test_without_limits_there_are_no_such_headers(api: httpx.AsyncClient) -> None:
    assert "ratelimit-limit" not in (await api.request(**EVENT)).headers
