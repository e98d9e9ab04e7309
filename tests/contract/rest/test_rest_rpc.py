"""Calling functions: arguments in, every shape of answer out."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from postgrest import CountMethod
from postgrest.exceptions import APIError
from supabase import AsyncClient

from tests.contract.rest.rows import Database, insert_items


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("add", {"a": 1, "b": 2}, 3),
        ("add", {"a": 1}, 11),
        ("sum_of", {"numbers": [1, 2, 3]}, 6),
        ("echo", {"document": {"a": [1, None, "é\\\"'$1"]}}, {"a": [1, None, "é\\\"'$1"]}),
        ("echo", {"document": [1, 2]}, [1, 2]),
        ("echo", {"document": None}, None),
        ("echo_json", {"document": {"b": 1, "a": 2}}, {"b": 1, "a": 2}),
        ("count_to", {"last": 3}, [1, 2, 3]),
        ("count_to", {"last": 0}, []),
        ("pairs", {"last": 2}, [{"number": 1, "word": "w1"}, {"number": 2, "word": "w2"}]),
    ],
)
async def test_a_function_answers_in_its_own_shape(
    supabase: AsyncClient, function: str, arguments: dict[str, Any], expected: object
) -> None:
    response = await supabase.rpc(function, arguments).execute()

    assert response.data == expected


async def test_a_function_that_returns_one_row_answers_with_an_object(
    supabase: AsyncClient, database: Database
) -> None:
    await insert_items(database, "a", "b")

    response = await supabase.rpc("item_named", {"wanted": "b"}).select("id", "name").execute()

    assert response.data == {"id": 2, "name": "b"}


async def test_a_void_function_answers_204_having_done_its_work(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, "a")

    response = await http.post("/rpc/forget", json={})

    assert (response.status_code, response.content) == (204, b"")
    assert await database.fetchval("select count(*) from items") == 0


async def test_the_rows_of_a_function_can_be_filtered_ordered_and_paged(
    supabase: AsyncClient, database: Database
) -> None:
    await insert_items(database, "a", "b", "c", "d")

    response = (
        await supabase.rpc("items_above", {"lowest": 0}, count=CountMethod.exact)
        .select("name")
        .neq("name", "b")
        .order("id", desc=True)
        .limit(2)
        .execute()
    )

    assert response.data == [{"name": "d"}, {"name": "c"}]
    assert response.count == 3


async def test_a_set_is_cut_at_1000_rows_and_one_json_value_is_not(supabase: AsyncClient) -> None:
    rows = await supabase.rpc("pairs", {"last": 1500}).execute()
    value = await supabase.rpc("echo", {"document": list(range(1500))}).execute()

    assert (len(rows.data), len(value.data)) == (1000, 1500)  # type: ignore[arg-type]


async def test_a_function_can_be_called_by_get_with_every_kind_of_argument(supabase: AsyncClient) -> None:
    number = await supabase.rpc("add", {"a": 1, "b": 2}, get=True).execute()
    array = await supabase.rpc("sum_of", {"numbers": [1, 2]}, get=True).execute()
    document = await supabase.rpc("echo", {"document": {"k": 'v"'}}, get=True).execute()

    assert (number.data, array.data, document.data) == (3, 3, {"k": 'v"'})


async def test_a_call_by_head_only_counts(supabase: AsyncClient) -> None:
    response = await supabase.rpc("pairs", {"last": 4}, count=CountMethod.exact, head=True).execute()

    assert (response.data, response.count) == ([], 4)


async def test_a_call_by_get_may_not_write(supabase: AsyncClient, database: Database) -> None:
    with pytest.raises(APIError) as refusal:
        await supabase.rpc("write_when_read", {"new_name": "x"}, get=True).execute()

    assert refusal.value.code == "25006"
    assert await database.fetchval("select count(*) from items") == 0


async def test_a_function_sees_who_calls_and_how(supabase: AsyncClient, anonymous: AsyncClient) -> None:
    served = await supabase.rpc("whoami", {}).execute()
    stranger = await anonymous.rpc("whoami", {}).execute()

    assert served.data == {
        "role": "service_role",
        "claims": {"role": "service_role", "iss": "supabase"},
        "method": "POST",
        "path": "/rpc/whoami",
    }
    stranger_data: Any = stranger.data
    assert stranger_data["role"] == "anon"


async def test_a_body_without_content_calls_without_arguments(http: httpx.AsyncClient) -> None:
    response = await http.post("/rpc/whoami")

    assert response.status_code == 200


async def test_a_large_body_goes_through(supabase: AsyncClient) -> None:
    rows = [{"id": number, "text": "x" * 3000} for number in range(100)]

    response = await supabase.rpc("echo", {"document": rows}).execute()

    assert len(json.dumps(rows)) > 300_000
    assert response.data == rows


async def test_an_unknown_function_is_named_with_its_arguments(supabase: AsyncClient) -> None:
    with pytest.raises(APIError) as refusal:
        await supabase.rpc("vanished", {"b": 1, "a": 2}).execute()

    assert refusal.value.json() == {
        "code": "PGRST202",
        "details": "Searched for the function public.vanished with parameters a, b or with a single unnamed"
        " json/jsonb parameter, but no matches were found in the schema cache.",
        "hint": None,
        "message": "Could not find the function public.vanished(a, b) in the schema cache",
    }


async def test_a_wrong_argument_name_is_told_the_right_one(supabase: AsyncClient) -> None:
    with pytest.raises(APIError) as refusal:
        await supabase.rpc("echo", {"documents": 1}).execute()

    assert refusal.value.hint == "Perhaps you meant to call the function public.echo(document)"


async def test_a_missing_argument_is_no_match(http: httpx.AsyncClient) -> None:
    response = await http.post("/rpc/add", json={"b": 1})

    assert (response.status_code, response.json()["code"]) == (404, "PGRST202")


async def test_an_ambiguous_call_lists_the_candidates(http: httpx.AsyncClient) -> None:
    response = await http.post("/rpc/both", json={"a": 1})

    assert (response.status_code, response.json()["code"]) == (300, "PGRST203")
    assert response.json()["message"] == (
        "Could not choose the best candidate function between: public.both(a => integer), public.both(a => text)"
    )


async def test_max_affected_wants_a_function_that_returns_a_set(http: httpx.AsyncClient) -> None:
    strict = {"Prefer": "handling=strict,max-affected=2"}

    of_one_value = await http.post("/rpc/add", json={"a": 1}, headers=strict)
    of_too_many = await http.post("/rpc/pairs", json={"last": 3}, headers=strict)

    assert (of_one_value.status_code, of_one_value.json()["code"]) == (400, "PGRST128")
    assert (of_too_many.status_code, of_too_many.json()["code"]) == (400, "PGRST124")


async def test_a_function_created_later_is_found(supabase: AsyncClient, database: Database) -> None:
    with pytest.raises(APIError):
        await supabase.rpc("newcomer", {}).execute()
    await database.execute("create or replace function newcomer() returns int language sql as 'select 1'")

    response = await supabase.rpc("newcomer", {}).execute()
    await database.execute("drop function newcomer()")

    assert response.data == 1


async def test_a_function_whose_argument_types_changed_is_called_by_the_new_ones(
    supabase: AsyncClient, database: Database
) -> None:
    await database.execute("create function changing(a int) returns text language sql as 'select a::text'")
    before = await supabase.rpc("changing", {"a": 1}).execute()
    await database.execute("drop function changing(int)")
    await database.execute("create function changing(a text) returns text language sql as 'select a || ''!'''")

    after = await supabase.rpc("changing", {"a": "x"}).execute()
    await database.execute("drop function changing(text)")

    assert (before.data, after.data) == ("1", "x!")
