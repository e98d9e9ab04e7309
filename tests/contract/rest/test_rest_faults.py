"""Faults that are asked for befall as many requests as they were asked for, and what is done is done."""

from __future__ import annotations

from typing import Any

import httpx
import jwt
import pytest

from tests.contract.rest.edge_process import SECRET, EdgeProcess
from tests.contract.rest.rows import Database
from tests.e2e.system import eventually


async def begin(edge: EdgeProcess, **order: Any) -> None:
    async with httpx.AsyncClient() as session:
        (await session.post(f"{edge.url}/_faults/rest", json=order)).raise_for_status()


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_a_refused_request_is_not_done_and_the_next_one_is(
    edge: EdgeProcess, http: httpx.AsyncClient, database: Database, status: int
) -> None:
    await begin(edge, how="refuse", status=status, requests=1)

    refused = await http.post("/items", json={"name": "one"})
    done = await http.post("/items", json={"name": "two"})

    assert (refused.status_code, done.status_code) == (status, 201)
    assert refused.json()["message"]
    assert await database.fetchval("select string_agg(name, ',') from public.items") == "two"


async def test_a_key_that_was_deleted_is_refused_and_another_is_not(
    edge: EdgeProcess, http: httpx.AsyncClient, service_key: str, database: Database
) -> None:
    another = jwt.encode({"role": "service_role", "iss": "another"}, SECRET)
    async with httpx.AsyncClient(base_url=edge.url) as faults:
        (await faults.post("/_faults/revoke_key", json={"key": service_key})).raise_for_status()
        try:
            refused = await http.post("/items", json={"name": "one"})
            other = await http.get("/items", headers={"apikey": another, "Authorization": f"Bearer {another}"})
        finally:
            await faults.delete("/_faults")

    assert (refused.status_code, refused.json()["message"]) == (401, "Invalid API key")
    assert other.status_code == 200
    assert await database.fetchval("select count(*) from public.items") == 0


@pytest.mark.parametrize(("how", "rows"), [("hang", 0), ("execute_then_hang", 1)])
async def test_an_answer_that_never_comes_says_nothing_of_what_was_done(
    edge: EdgeProcess, http: httpx.AsyncClient, database: Database, how: str, rows: int
) -> None:
    await begin(edge, how=how, requests=1)

    with pytest.raises(httpx.ReadTimeout):
        await http.post("/items", json={"name": "one"}, timeout=0.5)

    assert await database.fetchval("select count(*) from public.items") == rows


async def test_a_slow_request_is_done_after_a_while(edge: EdgeProcess, http: httpx.AsyncClient) -> None:
    await begin(edge, how="slow", delay_seconds=0.2, requests=1)

    slow = await http.post("/items", json={"name": "one"})

    assert slow.status_code == 201
    assert slow.elapsed.total_seconds() >= 0.2


async def test_a_slow_request_is_done_though_nobody_waits_for_it_any_more(
    edge: EdgeProcess, http: httpx.AsyncClient, database: Database
) -> None:
    await begin(edge, how="slow", delay_seconds=0.6, requests=1)

    with pytest.raises(httpx.ReadTimeout):
        await http.post("/items", json={"name": "late"}, timeout=0.2)

    async def is_done() -> bool:
        return bool(await database.fetchval("select count(*) from public.items"))

    await eventually(is_done, within=10, what="the row is there")


async def test_a_fault_without_an_end_is_ended(edge: EdgeProcess, http: httpx.AsyncClient) -> None:
    await begin(edge, how="refuse", status=500)
    refused = [(await http.get("/items")).status_code for _ in range(3)]

    async with httpx.AsyncClient() as session:
        ended = await session.delete(f"{edge.url}/_faults/rest")

    assert refused == [500] * 3
    assert (ended.status_code, (await http.get("/items")).status_code) == (200, 200)


async def test_a_fault_of_one_functions_calls_befalls_no_others(edge: EdgeProcess, http: httpx.AsyncClient) -> None:
    await begin(edge, how="refuse", status=500, requests=1, function="fire_rules")

    statuses = [
        (await http.get("/items")).status_code,
        (await http.post("/rpc/fire_rules", json={})).status_code,
        (await http.post("/rpc/fire_rules", json={})).status_code,
    ]

    assert statuses == [200, 500, 404], "the second call of the function is beyond the fault, and finds none"
