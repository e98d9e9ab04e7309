"""`payload->a->>b` in columns, filters, order and trees."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from supabase import AsyncClient

from tests.contract.rest.rows import Database

_DOCUMENTS = [
    ("first", '{"a": {"b": "x"}, "n": 10, "list": [{"k": 1}, {"k": 2}], "on": true, "a-key": 1, "s p": 2}'),
    ("second", '{"a": {"b": "y"}, "n": 9, "list": [], "on": null}'),
    ("third", '["only", {"b": "z"}]'),
]


async def _insert(database: Database) -> None:
    await database.executemany("insert into items (name, tags, document) values ($1, array['t', 'u'], $2)", _DOCUMENTS)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("document->a->>b", {"b": "x"}),
        ("document->a", {"a": {"b": "x"}}),
        ("value:document->a->b", {"value": "x"}),
        ("document->>n", {"n": "10"}),
        ("document->n", {"n": 10}),
        ("document->list->0->k", {"k": 1}),
        ("document->list->-1", {"list": {"k": 2}}),
        ("document->0", {"document": None}),
        ('document->"a-key"', {"a-key": 1}),
        ("document->a-key", {"a-key": 1}),
        ("document->s p", {"s p": 2}),
        ("document->none->>at_all", {"at_all": None}),
        ("tags->1", {"tags": "u"}),
        ("name,document->>on", {"name": "first", "on": "true"}),
    ],
)
async def test_columns(http: httpx.AsyncClient, database: Database, columns: str, expected: dict[str, Any]) -> None:
    await _insert(database)

    response = await http.get("/items", params={"select": columns, "id": "eq.1"})

    assert (response.status_code, response.json()) == (200, [expected])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("document->a->>b=eq.x", ["first"]),
        ("document->a->b=eq.%22y%22", ["second"]),
        ("document->n=gt.9", ["first"]),
        ("document->>n=gt.9", []),
        ("document->>n=in.(9,8)", ["second"]),
        ("document->n=in.(9,10)", ["first", "second"]),
        ("document->>on=is.null", ["second", "third"]),
        ("document->list->0->>k=not.is.null", ["first"]),
        ("document->>0=like.on*", ["third"]),
        ("document->a=cs.{%22b%22:%22x%22}", ["first"]),
        ("tags->>0=eq.t", ["first", "second", "third"]),
        ("or=(document->a->>b.eq.x,document->1->>b.eq.z)", ["first", "third"]),
        ("or=(document->>n.eq.9,and(document->n.not.eq.9,document->>on.eq.true))", ["first", "second"]),
        ("not.or=(document->>n.eq.9,document->>n.is.null)", ["first"]),
    ],
)
async def test_filters(http: httpx.AsyncClient, database: Database, query: str, names: list[str]) -> None:
    await _insert(database)

    response = await http.get(f"/items?select=name&order=id&{query}")

    assert response.status_code == 200, response.text
    assert [row["name"] for row in response.json()] == names


async def test_order(http: httpx.AsyncClient, database: Database) -> None:
    await _insert(database)

    as_numbers = await http.get("/items?select=name&order=document->n.desc.nullslast")
    as_text = await http.get("/items?select=name&order=document->>n.desc.nullslast")

    assert [row["name"] for row in as_numbers.json()] == ["first", "second", "third"]
    assert [row["name"] for row in as_text.json()] == ["second", "first", "third"]


async def test_what_a_write_returns(http: httpx.AsyncClient, database: Database) -> None:
    await _insert(database)

    response = await http.patch(
        "/items?document->>n=eq.10&select=document->a->>b,name",
        json={"quantity": 1},
        headers={"Prefer": "return=representation"},
    )

    assert response.json() == [{"b": "x", "name": "first"}]
    assert await database.fetchval("select count(*) from items where quantity = 1") == 1


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("select=document->", 400, "PGRST100"),
        ("select=document->>", 400, "PGRST100"),
        ("document->a->=eq.1", 400, "PGRST100"),
        ("document->>a->b=eq.1", 404, "42883"),
        ("document->a=eq.no_json", 400, "22P02"),
        ("select=nocol->a", 400, "42703"),
    ],
)
async def test_refusals(http: httpx.AsyncClient, query: str, status: int, code: str) -> None:
    response = await http.get(f"/items?{query}")

    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_supabase_py_reads_and_filters_by_paths(supabase: AsyncClient, database: Database) -> None:
    await _insert(database)

    answer = await supabase.table("items").select("b:document->a->>b").eq("document->>n", "10").execute()

    assert answer.data == [{"b": "x"}]
