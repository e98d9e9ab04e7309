"""SQL smuggled into every place a client can write to stays text."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stack.edge.rest.identifiers import quote_identifier, quote_literal
from tests.contract.rest.edge_process import SECRET
from tests.contract.rest.rows import Database, insert_items

SMUGGLED = [
    "'; drop table items; --",
    '"; drop table items; --',
    '" is null or 1=1; --',
    "1); delete from items; --",
    "\\'; drop table items; --",
    "$1; drop table items",
    "name\0; drop table items",
    "') or true --",
    "E'\\'' or true --",
    "pg_sleep(5)",
]


@pytest.mark.parametrize("text", SMUGGLED)
async def test_it_changes_nothing_wherever_it_stands(http: httpx.AsyncClient, database: Database, text: str) -> None:
    await insert_items(database, "a", "b")
    inert = quote(text, safe="")
    quoted = quote('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"', safe="")
    requests = [
        ("GET", f"/{inert}", None),
        ("GET", f"/items?select={inert}", None),
        ("GET", f"/items?select={quoted}", None),
        ("GET", f"/items?select={quoted}:name", None),
        ("GET", f"/items?select=document->{inert}", None),
        ("GET", f"/items?select=document->>{quoted}", None),
        ("GET", f"/items?document->{quoted}->>{quoted}=eq.{inert}", None),
        ("GET", f"/items?order=document->>{quoted}", None),
        ("GET", f"/items?or=(document->{quoted}.eq.{quoted})", None),
        ("GET", f"/items?select={quoted}:parts!{quoted}(*)", None),
        ("GET", f"/items?select={quoted}:parts(id,{quoted}:item_id)&{quoted}.item_id=eq.{inert}", None),
        ("GET", f"/items?select={quoted}({quoted})", None),
        ("GET", f"/items?select=parts({inert})", None),
        ("GET", f"/items?select=parts()&parts.{quoted}=eq.{quoted}", None),
        ("GET", f"/items?select=*,parts(*)&parts.or=(id.eq.{quoted})&parts.order={quoted}", None),
        ("GET", f"/items?select=*,parts(*)&parts.limit={inert}", None),
        ("GET", f"/parts?select=*,items(*)&order=items({quoted})", None),
        ("GET", f"/items?order={inert}", None),
        ("GET", f"/items?order={quoted}.desc", None),
        ("GET", f"/items?{inert}=eq.1", None),
        ("GET", f"/items?{quoted}=eq.1", None),
        ("GET", f"/items?name=eq.{inert}", None),
        ("GET", f"/items?id=eq.{inert}", None),
        ("GET", f"/items?name=like.{inert}", None),
        ("GET", f"/items?name=in.({inert})", None),
        ("GET", f"/items?name=in.({quoted})", None),
        ("GET", f"/items?name=is.{inert}", None),
        ("GET", f"/items?name={inert}.x", None),
        ("GET", f"/items?or=(name.eq.{quoted},{quoted}.eq.1)", None),
        ("GET", f"/items?limit={inert}", None),
        ("GET", f"/items?offset={inert}", None),
        ("POST", f"/items?columns={quoted}", {text: 1}),
        ("POST", f"/items?on_conflict={quoted}", {"name": "z"}),
        ("POST", "/items", {text: "x"}),
        ("POST", "/items", {"name": text, "tags": [text], "document": {text: text}}),
        ("PATCH", f"/items?name=eq.{inert}", {"name": text}),
        ("PATCH", "/items?id=eq.0", {text: text}),
        ("DELETE", f"/items?name=eq.{inert}", None),
        ("DELETE", f"/items?id=eq.0&or=(name.eq.{quoted})", None),
        ("POST", f"/rpc/{inert}", {}),
        ("POST", "/rpc/echo", {text: 1}),
        ("POST", "/rpc/echo", {"document": text}),
        ("GET", f"/rpc/echo?document={quoted}", None),
        ("GET", f"/rpc/echo?{inert}=1", None),
    ]
    headers = {"Prefer": "resolution=merge-duplicates"}

    statuses = []
    for method, path, body in requests:
        response = await http.request(method, path, json=body, headers=headers)
        statuses.append(response.status_code)

    assert all(status < 500 or status == 501 for status in statuses), list(zip(requests, statuses, strict=True))
    assert await database.fetchval("select count(*) from items where name in ('a', 'b')") == 2


@pytest.mark.parametrize("text", SMUGGLED)
async def test_a_role_claim_is_no_sql(http: httpx.AsyncClient, database: Database, text: str) -> None:
    await insert_items(database, "a")
    token = jwt.encode({"role": text, "other": text}, SECRET)

    response = await http.get("/items", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code in {400, 401, 403}
    assert await database.fetchval("select count(*) from items") == 1


@pytest.mark.parametrize("text", SMUGGLED[:7])
async def test_a_value_comes_back_as_it_was_sent(http: httpx.AsyncClient, text: str) -> None:
    sent = text.replace("\0", "")

    await http.post("/items", json={"name": sent})
    response = await http.get("/items", params={"select": "name", "name": f"eq.{sent}"})

    assert response.json() == [{"name": sent}]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(text=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=15))
async def test_any_name_and_any_text_survive_quoting(database: Database, text: str) -> None:
    row = await database.fetchrow(f"select {quote_literal(text)} as {quote_identifier(text)}")

    assert row is not None
    name = text.encode()[:63].decode(errors="ignore")
    assert dict(row) == {name: text}
