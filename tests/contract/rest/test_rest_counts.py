"""`count=exact|planned|estimated`: what `Content-Range` says, of a GET and of a HEAD."""

from __future__ import annotations

import httpx
import pytest
from postgrest import CountMethod
from supabase import AsyncClient

from tests.contract.rest.rows import Database

_MORE_THAN_A_PAGE = 1001


async def _insert(database: Database, count: int) -> None:
    await database.execute("insert into items (name) select 'n' || n from generate_series(1, $1::int) n", count)
    await database.execute("analyze items")


async def _planned(database: Database, condition: str) -> int:
    """What PostgreSQL itself expects."""
    lines = await database.fetch(f"explain select 1 from items where {condition}")
    return int(lines[0][0].partition("rows=")[2].partition(" ")[0])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("count", "content_range", "status"),
    [("exact", "0-1/5", 206), ("planned", "0-1/5", 206), ("estimated", "0-1/5", 206), (None, "0-1/*", 200)],
)
async def test_a_page_of_a_small_table(
    http: httpx.AsyncClient, database: Database, method: str, count: str | None, content_range: str, status: int
) -> None:
    await _insert(database, 5)
    headers = {"Prefer": f"count={count}"} if count else {}

    response = await http.request(method, "/items?limit=2", headers=headers)

    assert (response.status_code, response.headers["content-range"]) == (status, content_range)
    assert response.headers.get("preference-applied") == (f"count={count}" if count else None)
    assert (response.content == b"") == (method == "HEAD")


async def test_planned_is_what_the_planner_expects_and_not_what_there_is(
    http: httpx.AsyncClient, database: Database
) -> None:
    await _insert(database, 300)
    expected = await _planned(database, "name like '%1%'")

    response = await http.get("/items?name=like.*1*&limit=1", headers={"Prefer": "count=planned"})

    assert expected != await database.fetchval("select count(*) from items where name like '%1%'")
    assert response.headers["content-range"] == f"0-0/{expected}"


async def test_estimated_counts_what_a_page_may_hold(http: httpx.AsyncClient, database: Database) -> None:
    await _insert(database, 300)
    counted = await database.fetchval("select count(*) from items where name like '%1%'")

    response = await http.get("/items?name=like.*1*&limit=1", headers={"Prefer": "count=estimated"})

    assert response.headers["content-range"] == f"0-0/{counted}"


async def test_estimated_asks_the_planner_for_more_than_that(http: httpx.AsyncClient, database: Database) -> None:
    await _insert(database, 2 * _MORE_THAN_A_PAGE)
    expected = await _planned(database, "name like '%1%' and id <> 1")
    counted = await database.fetchval("select count(*) from items where name like '%1%' and id <> 1")
    assert counted >= _MORE_THAN_A_PAGE
    assert counted != expected

    response = await http.get("/items?name=like.*1*&id=neq.1&limit=1", headers={"Prefer": "count=estimated"})

    assert response.headers["content-range"] == f"0-0/{max(expected, _MORE_THAN_A_PAGE)}"


@pytest.mark.parametrize(("count", "total"), [("exact", "2"), ("planned", "*"), ("estimated", "2")])
async def test_of_a_change_only_a_count_tells_a_number(
    http: httpx.AsyncClient, database: Database, count: str, total: str
) -> None:
    await _insert(database, 5)

    response = await http.patch("/items?id=lte.2", json={"quantity": 0}, headers={"Prefer": f"count={count}"})

    assert response.headers["content-range"] == f"0-1/{total}"


@pytest.mark.parametrize("count", list(CountMethod))
async def test_supabase_py_reads_each(supabase: AsyncClient, database: Database, count: CountMethod) -> None:
    await _insert(database, 5)

    whole = await supabase.table("items").select("id", count=count).limit(2).execute()
    without_rows = await supabase.table("items").select("id", count=count, head=True).execute()

    assert (whole.count, len(whole.data)) == (5, 2)
    assert without_rows.count == 5
