"""Inserting, upserting, updating and deleting."""

from __future__ import annotations

import httpx
import pytest
from postgrest.exceptions import APIError
from postgrest.types import ReturnMethod
from supabase import AsyncClient

from tests.contract.rest.rows import Database, fetch_tuples, insert_items


async def test_one_row_is_inserted_and_returned_with_its_defaults(supabase: AsyncClient) -> None:
    response = await supabase.table("items").insert({"name": "a", "document": {"k": [1]}, "tags": ["x"]}).execute()

    assert response.data == [
        {
            "id": 1,
            "name": "a",
            "code": None,
            "quantity": 7,
            "price": None,
            "mood": None,
            "score": None,
            "tags": ["x"],
            "document": {"k": [1]},
            "seen_at": None,
            'odd "name': None,
        }
    ]


async def test_many_rows_are_inserted_in_order(supabase: AsyncClient) -> None:
    rows = [{"name": "a", "quantity": 1}, {"name": "b", "quantity": 2}]

    response = await supabase.table("items").insert(rows).select("id,name,quantity").execute()

    assert response.data == [{"id": 1, "name": "a", "quantity": 1}, {"id": 2, "name": "b", "quantity": 2}]


async def test_missing_values_become_null_by_default(supabase: AsyncClient) -> None:
    rows: list[dict[str, object]] = [{"name": "a", "quantity": 1}, {"name": "b"}]

    response = await supabase.table("items").insert(rows).select("name,quantity").execute()

    assert response.data == [{"name": "a", "quantity": 1}, {"name": "b", "quantity": None}]


async def test_missing_values_become_defaults_on_request(supabase: AsyncClient) -> None:
    rows: list[dict[str, object]] = [{"id": 9, "name": "a", "quantity": 1}, {"name": "b"}]

    response = await supabase.table("items").insert(rows, default_to_null=False).select("id,quantity").execute()

    # The default of id was drawn for the first row too, and thrown away: PostgREST does so as well.
    assert response.data == [{"id": 9, "quantity": 1}, {"id": 2, "quantity": 7}]


async def test_defaults_fill_a_single_object_too(http: httpx.AsyncClient) -> None:
    response = await http.post(
        "/items?columns=name,quantity&select=name,quantity",
        json={"name": "a"},
        headers={"Prefer": "missing=default, return=representation"},
    )

    assert (response.status_code, response.json()) == (201, [{"name": "a", "quantity": 7}])


async def test_no_rows_insert_nothing(supabase: AsyncClient) -> None:
    response = await supabase.table("items").insert([]).execute()

    assert response.data == []


async def test_an_empty_object_inserts_defaults(supabase: AsyncClient, database: Database) -> None:
    await supabase.table("parts").insert({}).execute()

    assert await database.fetchval("select count(*) from parts") == 1


async def test_minimal_returns_nothing(http: httpx.AsyncClient) -> None:
    response = await http.post("/items", json={"name": "a"}, headers={"Prefer": "return=minimal,count=exact"})

    assert (response.status_code, response.content) == (201, b"")
    assert response.headers["Content-Range"] == "*/1"
    assert response.headers["Preference-Applied"] == "return=minimal, count=exact"


async def test_headers_only_tells_where_the_row_is(http: httpx.AsyncClient) -> None:
    row = {"order_number": 3, "line_number": 4}

    response = await http.post("/lines", json=row, headers={"Prefer": "return=headers-only"})

    assert (response.status_code, response.content) == (201, b"")
    assert response.headers["Location"] == "/lines?order_number=eq.3&line_number=eq.4"


async def test_an_upsert_merges_on_the_primary_key(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a")

    response = await supabase.table("items").upsert([{"id": 1, "name": "z"}, {"id": 5, "name": "y"}]).execute()

    assert len(response.data) == 2
    assert await fetch_tuples(database, "select id, name from items order by id") == [(1, "z"), (5, "y")]


async def test_an_upsert_merges_on_the_named_columns(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a")

    response = (
        await supabase.table("items")
        .upsert({"name": "a", "quantity": 3}, on_conflict="name")
        .select("id,quantity")
        .execute()
    )

    assert response.data == [{"id": 1, "quantity": 3}]


async def test_an_upsert_can_leave_what_is_there(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a")
    rows = [{"name": "a", "quantity": 3}, {"name": "b", "quantity": 4}]

    response = (
        await supabase.table("items")
        .upsert(rows, on_conflict="name", ignore_duplicates=True)
        .select("name,quantity")
        .execute()
    )

    assert response.data == [{"name": "b", "quantity": 4}]
    assert await database.fetchval("select quantity from items where name = 'a'") == 7


@pytest.mark.parametrize(("name", "status"), [("a", 200), ("new", 201)])
async def test_the_status_of_an_upsert_says_whether_it_inserted(
    http: httpx.AsyncClient, database: Database, name: str, status: int
) -> None:
    await insert_items(database, "a")

    response = await http.post(
        "/items?on_conflict=name", json={"name": name}, headers={"Prefer": "resolution=merge-duplicates"}
    )

    assert response.status_code == status


async def test_an_update_changes_what_the_filters_let_through(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b", "c")

    response = await supabase.table("items").update({"quantity": 1, "tags": ["t"]}).in_("name", ["a", "b"]).execute()

    assert len(response.data) == 2
    changed = await fetch_tuples(database, "select quantity, tags from items order by id")
    assert changed == [(1, ["t"]), (1, ["t"]), (7, None)]


async def test_a_guarded_update_that_loses_returns_nothing(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a")

    response = await supabase.table("items").update({"quantity": 1}).eq("id", 1).eq("quantity", 99).execute()

    assert response.data == []


async def test_an_update_of_nothing_changes_nothing(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, "a")

    response = await http.patch("/items", json={}, headers={"Prefer": "return=representation"})

    assert (response.status_code, response.json(), response.headers["Content-Range"]) == (200, [], "*/*")


async def test_an_update_without_representation_is_no_content(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b")

    response = await http.patch("/items?id=gt.0", json={"quantity": 1}, headers={"Prefer": "count=exact"})

    assert (response.status_code, response.content, response.headers["Content-Range"]) == (204, b"", "0-1/2")


async def test_a_delete_returns_what_it_deleted(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b")

    response = await supabase.table("items").delete().eq("name", "a").select("name").execute()

    assert response.data == [{"name": "a"}]
    assert await database.fetchval("select count(*) from items") == 1


async def test_a_delete_without_representation_is_no_content(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b")

    response = await supabase.table("items").delete(returning=ReturnMethod.minimal).gt("id", 0).execute()

    assert response.data == []
    assert await database.fetchval("select count(*) from items") == 0


async def test_a_limit_on_an_update_is_ignored_as_postgrest_13_does(supabase: AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b", "c")

    await supabase.table("items").update({"quantity": 1}).gt("id", 0).limit(1).execute()

    assert await database.fetchval("select count(*) from items where quantity = 1") == 3


@pytest.mark.parametrize("change", ["update", "delete"])
async def test_more_rows_than_max_affected_are_refused_and_kept(
    supabase: AsyncClient, database: Database, change: str
) -> None:
    await insert_items(database, "a", "b")
    table = supabase.table("items")
    request = table.update({"quantity": 1}) if change == "update" else table.delete()

    with pytest.raises(APIError) as refusal:
        await request.gt("id", 0).max_affected(1).execute()

    assert refusal.value.json() == {
        "code": "PGRST124",
        "details": "The query affects 2 rows",
        "hint": None,
        "message": "Query result exceeds max-affected preference constraint",
    }
    assert await database.fetchval("select count(*) from items where quantity = 7") == 2


async def test_max_affected_without_strict_handling_is_ignored(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b")

    response = await http.patch("/items?id=gt.0", json={"quantity": 1}, headers={"Prefer": "max-affected=1"})

    assert response.status_code == 204


async def test_a_change_of_several_rows_is_undone_when_one_object_was_wanted(
    http: httpx.AsyncClient, database: Database
) -> None:
    await insert_items(database, "a", "b")

    response = await http.patch(
        "/items?id=gt.0",
        json={"quantity": 1},
        headers={"Prefer": "return=representation", "Accept": "application/vnd.pgrst.object+json"},
    )

    assert (response.status_code, response.json()["code"]) == (406, "PGRST116")
    assert await database.fetchval("select count(*) from items where quantity = 7") == 2


async def test_a_write_to_another_schema_by_its_profile(supabase: AsyncClient, database: Database) -> None:
    await supabase.schema("notify").table("only_here").insert({"id": 5}).execute()

    assert await database.fetchval("select id from notify.only_here") == 5
