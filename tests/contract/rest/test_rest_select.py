"""Reading tables: columns, filters, order, pages, counts, single rows."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from postgrest import CountMethod
from postgrest.exceptions import APIError
from supabase import AsyncClient

from tests.contract.rest.rows import Database, insert_items


async def names_where(supabase: AsyncClient, *filters: tuple[str, str, str]) -> list[str]:
    """The names of the items that pass `filters` (column, operator, value), in order of id."""
    request = supabase.table("items").select("name").order("id")
    for column, operator, value in filters:
        request = request.filter(column, operator, value)
    response = await request.execute()
    rows: Any = response.data
    return [row["name"] for row in rows]


async def test_values_look_as_postgrest_prints_them(supabase: AsyncClient, database: Database) -> None:
    await database.execute(
        """insert into items (name, price, mood, score, tags, document, seen_at) values
           ('a', 1.50, 'happy', 3, '{x,"y z"}', '{"k": [1, null]}', '2026-01-02 03:04:05.678+00')"""
    )

    response = await supabase.table("items").select("*").execute()

    assert response.data == [
        {
            "id": 1,
            "name": "a",
            "code": None,
            "quantity": 7,
            "price": 1.50,
            "mood": "happy",
            "score": 3,
            "tags": ["x", "y z"],
            "document": {"k": [1, None]},
            "seen_at": "2026-01-02T03:04:05.678+00:00",
            'odd "name': None,
        }
    ]


async def test_columns_can_be_chosen_and_renamed(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a")

    response = await supabase.table("items").select("id, label:name", 'odd:"odd \\"name"').execute()

    assert response.data == [{"id": 1, "label": "a", "odd": None}]


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("eq", "2", ["b"]),
        ("neq", "2", ["a", "c"]),
        ("gt", "1", ["b", "c"]),
        ("gte", "2", ["b", "c"]),
        ("lt", "2", ["a"]),
        ("lte", "2", ["a", "b"]),
        ("in", "(1,3)", ["a", "c"]),
        ("in", "()", []),
        ("not.in", "(1,3)", ["b"]),
        ("not.eq", "2", ["a", "c"]),
        ("is", "null", ["d"]),
        ("is", "not_null", ["a", "b", "c"]),
        ("not.is", "null", ["a", "b", "c"]),
    ],
)
async def test_a_filter_on_a_number(
    supabase: AsyncClient, database: Database, operator: str, value: str, expected: list[str]
) -> None:
    await insert_items(database, "a", "b", "c", "d")
    await database.execute("update items set quantity = case name when 'd' then null else id end")

    found = await names_where(supabase, ("quantity", operator, value))

    assert found == expected


@pytest.mark.parametrize(
    ("column", "operator", "value", "expected"),
    [
        ("name", "like", "al%", ["alpha"]),
        ("name", "like", "*et*", ["beta"]),
        ("name", "ilike", "AL*", ["alpha"]),
        ("name", "match", "^.e", ["beta"]),
        ("name", "imatch", "^.E", ["beta"]),
        ("name", "in", '("alpha","x,y")', ["alpha"]),
        ("mood", "eq", "sad", ["beta"]),
        ("score", "gt", "1", ["beta"]),
        ("price", "eq", "2.5", ["beta"]),
        ("seen_at", "lt", "2026-01-02T00:00:00+00:00", ["alpha"]),
        ("tags", "cs", "{x}", ["alpha"]),
        ("tags", "cd", "{y,z}", ["beta"]),
        ("tags", "ov", "{x,y}", ["alpha", "beta"]),
        ("document", "cs", '{"k":1}', ["alpha"]),
        ('odd "name', "eq", "yes", ["beta"]),
    ],
)
async def test_a_filter_on_other_types(
    supabase: AsyncClient, database: Database, column: str, operator: str, value: str, expected: list[str]
) -> None:
    await database.execute(
        """insert into items (name, mood, score, price, seen_at, tags, document, "odd ""name") values
           ('alpha', 'happy', 1, 1, '2026-01-01', '{x}', '{"k": 1}', 'no'),
           ('beta', 'sad', 2, 2.5, '2026-01-03', '{y}', '{"k": 2}', 'yes')"""
    )

    found = await names_where(supabase, (column, operator, value))

    assert found == expected


@pytest.mark.parametrize(
    ("logic", "expected"),
    [
        ("name.eq.a,name.eq.c", ["a", "c"]),
        ("id.eq.1,and(id.gt.1,name.neq.b)", ["a", "c"]),
        ("id.in.(1,2),name.eq.c", ["a", "b", "c"]),
        ("not.and(id.gte.2,name.not.eq.c)", ["a", "c"]),
        ('name.eq."a",name.eq."x,(y)"', ["a"]),
        ("tags.cs.{t},id.eq.3", ["c"]),
        ("quantity.is.null,id.eq.2", ["b"]),
    ],
)
async def test_conditions_joined_by_or(
    supabase: AsyncClient, database: Database, logic: str, expected: list[str]
) -> None:
    await insert_items(database, "a", "b", "c")

    response = await supabase.table("items").select("name").or_(logic).order("id").execute()

    rows: Any = response.data
    assert [row["name"] for row in rows] == expected


async def test_conditions_joined_by_and_can_be_negated(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b", "c")

    response = await http.get("/items", params={"select": "name", "not.and": "(id.gt.1,id.lt.3)", "order": "id"})

    assert response.json() == [{"name": "a"}, {"name": "c"}]


async def test_order_with_nulls_first_and_last(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b", "c")
    await database.execute("update items set quantity = null where name = 'b'")

    first = (
        await supabase.table("items").select("name").order("quantity", desc=True, nullsfirst=True).order("id").execute()
    )
    last = (
        await supabase.table("items")
        .select("name")
        .order("quantity", nullsfirst=False)
        .order("id", desc=True)
        .execute()
    )

    assert first.data == [{"name": "b"}, {"name": "a"}, {"name": "c"}]
    assert last.data == [{"name": "c"}, {"name": "a"}, {"name": "b"}]


async def test_a_page_by_limit_and_offset(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, *"abcde")

    response = await supabase.table("items").select("name").order("id").range(1, 2).execute()

    assert response.data == [{"name": "b"}, {"name": "c"}]


async def test_a_page_by_the_range_header(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, *"abcde")

    response = await http.get("/items?select=name&order=id", headers={"Range-Unit": "items", "Range": "3-9"})

    assert (response.status_code, response.headers["Content-Range"]) == (200, "3-4/*")
    assert response.json() == [{"name": "d"}, {"name": "e"}]


async def test_a_counted_page_is_partial_content(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, *"abcde")

    response = await http.get("/items?select=id&id=gt.1&limit=2", headers={"Prefer": "count=exact"})

    assert (response.status_code, response.headers["Content-Range"]) == (206, "0-1/4")
    assert response.headers["Preference-Applied"] == "count=exact"


async def test_an_offset_past_the_end_is_refused_when_counted(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, *"abc")

    response = await http.get("/items?offset=9", headers={"Prefer": "count=exact"})

    assert response.status_code == 416
    assert response.json() == {
        "code": "PGRST103",
        "details": "An offset of 9 was requested, but there are only 3 rows.",
        "hint": None,
        "message": "Requested range not satisfiable",
    }


@pytest.mark.parametrize(
    ("query", "headers", "details"),
    [
        ("limit=-1", {}, "Limit should be greater than or equal to zero."),
        (
            "",
            {"Range": "5-2"},
            "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
        ),
    ],
)
async def test_an_impossible_range_is_refused(
    http: httpx.AsyncClient, query: str, headers: dict[str, str], details: str
) -> None:
    response = await http.get(f"/items?{query}", headers=headers)

    assert (response.status_code, response.json()["code"]) == (416, "PGRST103")
    assert response.json()["details"] == details


async def test_no_more_than_1000_rows_come_back(supabase: AsyncClient, database: Database) -> None:
    await database.execute("insert into items (name) select n::text from generate_series(1, 1005) n")

    response = await supabase.table("items").select("id", count=CountMethod.exact).limit(5000).execute()

    assert (len(response.data), response.count) == (1000, 1005)


async def test_head_counts_without_a_body(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, *"abc")

    response = await supabase.table("items").select("*", count=CountMethod.exact, head=True).execute()

    assert (response.data, response.count) == ([], 3)


async def test_single_returns_an_object(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b")

    response = await supabase.table("items").select("name").eq("id", 2).single().execute()

    assert response.data == {"name": "b"}


@pytest.mark.parametrize(("least_id", "details"), [(9, "0 rows"), (1, "2 rows")])
async def test_single_refuses_any_other_number_of_rows(
    supabase: AsyncClient, database: Database, least_id: int, details: str
) -> None:
    await insert_items(database, "a", "b")

    with pytest.raises(APIError) as refusal:
        await supabase.table("items").select("name").gte("id", least_id).single().execute()

    assert refusal.value.json() == {
        "code": "PGRST116",
        "details": f"The result contains {details}",
        "hint": None,
        "message": "Cannot coerce the result to a single JSON object",
    }


async def test_maybe_single_is_none_for_no_row(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a")

    found = await supabase.table("items").select("name").eq("id", 1).maybe_single().execute()
    missing = await supabase.table("items").select("name").eq("id", 2).maybe_single().execute()

    assert found is not None
    assert found.data == {"name": "a"}
    assert missing is None


async def test_the_schema_profile_selects_the_schema(supabase: AsyncClient, database: Database) -> None:
    await database.execute("insert into notify.only_here values (4)")

    response = await supabase.schema("notify").table("only_here").select("id").execute()

    assert response.data == [{"id": 4}]
