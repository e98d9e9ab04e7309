"""What PostgREST can do and this edge cannot is refused with 501 and a name, never guessed."""

from __future__ import annotations

import httpx
import pytest
from postgrest.exceptions import APIError
from supabase import AsyncClient


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("select=name,...parts(id)", "spread embedding (...parts(id))"),
        ("select=id::text", "casts in select (id::text)"),
        ("select=id.sum()", "aggregates in select (id.sum())"),
        ("select=", "an empty select"),
        ("select=id&select=name", "the query parameter select given twice"),
        ("name=fts.word", "the filter operator fts"),
        ("name=wfts(english).word", "the filter operator wfts(english)"),
        ("name=like(any).{a,b}", "the filter operator like(any)"),
        ("name=not.phfts.word", "the filter operator phfts"),
        ("name=isdistinct.a", "the filter operator isdistinct"),
        ("name=a", "the query parameter name=a"),
        ("name=noop.a", "the query parameter name=noop.a"),
        ("limit=many", "limit=many, which is not a whole number"),
    ],
)
async def test_a_query_parameter(http: httpx.AsyncClient, query: str, what: str) -> None:
    response = await http.get(f"/items?{query}")

    assert response.status_code == 501
    assert response.json() == {
        "code": "EDGE501",
        "details": what,
        "hint": None,
        "message": f"This edge does not implement {what}",
    }


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"Accept": "text/csv"}, "answers of type text/csv"),
        ({"Accept": "text/xml"}, "answers of type text/xml"),
        ({"Accept": "application/vnd.pgrst.plan+text"}, "answers of type application/vnd.pgrst.plan+text"),
        ({"Accept": "application/vnd.pgrst.object+json;nulls=stripped"}, "nulls=stripped"),
        ({"Prefer": "tx=rollback"}, "the preference tx=rollback"),
        ({"Prefer": "timezone=Europe/Paris"}, "the preference timezone=Europe/Paris"),
    ],
)
async def test_a_header(http: httpx.AsyncClient, headers: dict[str, str], what: str) -> None:
    response = await http.get("/items", headers=headers)

    assert (response.status_code, response.json()["details"]) == (501, what)


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("GET", "/", "the OpenAPI description at the root"),
        ("PUT", "/items?id=eq.1", "the method PUT"),
        ("OPTIONS", "/items", "the method OPTIONS"),
        ("OPTIONS", "/rpc/add", "the method OPTIONS"),
        ("DELETE", "/items?order=id", "order on writes"),
        ("GET", "/rpc/add?a=1&order=a", "filters, order or columns on add, which returns no rows"),
        ("GET", "/rpc/add?a=1&a=2", "an argument given twice"),
    ],
)
async def test_a_method_or_path(http: httpx.AsyncClient, method: str, path: str, what: str) -> None:
    response = await http.request(method, path)

    assert (response.status_code, response.json()["details"]) == (501, what)


@pytest.mark.parametrize(
    ("method", "path", "content_type", "body", "what"),
    [
        ("POST", "/items", "text/csv", b"name\na", "bodies of type text/csv"),
        ("POST", "/items", "application/json", b"1", "bodies that are neither a JSON object nor an array"),
        ("PATCH", "/items", "application/json", b'[{"name": "a"}]', "updates by an array"),
        ("POST", "/rpc/add", "application/json", b'[{"a": 1}]', "calls with an array as body"),
    ],
)
async def test_a_body(
    http: httpx.AsyncClient, method: str, path: str, content_type: str, body: bytes, what: str
) -> None:
    response = await http.request(method, path, content=body, headers={"Content-Type": content_type})

    assert (response.status_code, response.json()["details"]) == (501, what)


async def test_an_unknown_media_type_is_not_acceptable(http: httpx.AsyncClient) -> None:
    response = await http.get("/items", headers={"Accept": "image/png"})

    assert (response.status_code, response.json()["code"]) == (406, "PGRST107")


async def test_unsupported_methods_are_named(http: httpx.AsyncClient) -> None:
    on_table = await http.request("TRACE", "/items")
    on_function = await http.request("PATCH", "/rpc/add")

    assert (on_table.status_code, on_table.json()["code"]) == (405, "PGRST117")
    assert (on_function.status_code, on_function.json()["code"]) == (405, "PGRST101")


async def test_supabase_py_sees_the_refusal_as_an_api_error(supabase: AsyncClient) -> None:
    with pytest.raises(APIError) as refusal:
        await supabase.table("items").select("id::text").execute()

    assert refusal.value.code == "EDGE501"
    assert refusal.value.message == "This edge does not implement casts in select (id::text)"
