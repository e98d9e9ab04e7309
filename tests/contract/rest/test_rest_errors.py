"""Refusals: the gateway's, PostgREST's, PostgreSQL's, each with its status and body."""

from __future__ import annotations

import time

import httpx
import jwt
import pytest
from postgrest.exceptions import APIError
from supabase import AsyncClient

from tests.contract.rest.edge_process import SECRET, EdgeProcess
from tests.contract.rest.rows import Database, insert_items


async def test_a_request_without_an_api_key_is_stopped_at_the_gateway(edge: EdgeProcess) -> None:
    async with httpx.AsyncClient() as session:
        response = await session.get(f"{edge.url}/rest/v1/items")

    assert response.status_code == 401
    assert response.json() == {
        "message": "No API key found in request",
        "hint": "No `apikey` request header or url param was found.",
    }


async def test_a_wrong_api_key_is_stopped_at_the_gateway(http: httpx.AsyncClient) -> None:
    forged = jwt.encode({"role": "service_role"}, "another-secret-of-at-least-32-characters")

    response = await http.get("/items", headers={"apikey": forged})

    assert response.status_code == 401
    assert response.json() == {
        "message": "Invalid API key",
        "hint": "Double check your Supabase `anon` or `service_role` API key.",
    }


async def test_a_path_of_no_service_has_no_route(edge: EdgeProcess, service_key: str) -> None:
    async with httpx.AsyncClient() as session:
        response = await session.get(f"{edge.url}/nowhere/v1", headers={"apikey": service_key})

    assert (response.status_code, response.json()) == (404, {"message": "no Route matched with those values"})


@pytest.mark.parametrize(
    ("token", "code", "message", "details"),
    [
        (lambda: "", "PGRST301", "Empty JWT is sent in Authorization header", None),
        (lambda: "one.two", "PGRST301", "Expected 3 parts in JWT; got 2", None),
        (
            lambda: jwt.encode({"role": "service_role"}, "another-secret-of-at-least-32-characters"),
            "PGRST301",
            "No suitable key or wrong key type",
            "None of the keys was able to decode the JWT",
        ),
        (lambda: jwt.encode({"exp": time.time() - 60}, SECRET), "PGRST303", "JWT expired", None),
        (lambda: jwt.encode({"nbf": time.time() + 600}, SECRET), "PGRST303", "JWT not yet valid", None),
        (lambda: jwt.encode({"iat": time.time() + 600}, SECRET), "PGRST303", "JWT issued at future", None),
    ],
    ids=["empty", "two parts", "other secret", "expired", "not yet valid", "issued at future"],
)
async def test_a_bad_token_is_refused_with_its_reason(
    http: httpx.AsyncClient, token: object, code: str, message: str, details: str | None
) -> None:
    made = token() if callable(token) else token

    response = await http.get("/items", headers={"Authorization": f"Bearer {made}".strip()})

    assert response.status_code == 401
    assert response.json() == {"code": code, "details": details, "hint": None, "message": message}
    assert response.headers["WWW-Authenticate"] == f'Bearer error="invalid_token", error_description="{message}"'


async def test_an_unsigned_token_is_refused(http: httpx.AsyncClient) -> None:
    unsigned = jwt.encode({"role": "service_role"}, "", algorithm="none")

    response = await http.get("/items", headers={"Authorization": f"Bearer {unsigned}"})

    assert (response.status_code, response.json()["code"]) == (401, "PGRST301")


async def test_a_token_expired_within_the_clock_skew_passes(http: httpx.AsyncClient) -> None:
    token = jwt.encode({"role": "service_role", "exp": time.time() - 5}, SECRET)

    response = await http.get("/items", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 200


@pytest.mark.parametrize("role", ["postgres", "no_such_role"])
async def test_a_role_that_the_authenticator_may_not_become_is_refused(http: httpx.AsyncClient, role: str) -> None:
    token = jwt.encode({"role": role}, SECRET)

    response = await http.get("/items", headers={"Authorization": f"Bearer {token}"})

    expected = (401, "22023") if role == "no_such_role" else (403, "42501")
    assert (response.status_code, response.json()["code"]) == expected


async def test_without_a_token_a_request_is_anonymous(http: httpx.AsyncClient, database: Database) -> None:
    await database.execute("insert into notes values (1, true, 'open'), (2, false, 'shut')")
    request = http.build_request("GET", "/notes?select=body")
    del request.headers["Authorization"]

    response = await http.send(request)

    assert response.json() == [{"body": "open"}]


async def test_row_level_security_hides_rows_from_the_anonymous_and_not_from_the_service(
    supabase: AsyncClient, anonymous: AsyncClient, database: Database
) -> None:
    await database.execute("insert into notes values (1, true, 'open'), (2, false, 'shut')")

    seen = await anonymous.table("notes").select("id").execute()
    served = await supabase.table("notes").select("id").execute()

    assert (seen.data, len(served.data)) == ([{"id": 1}], 2)


async def test_without_a_grant_the_anonymous_get_401_and_others_403(
    http: httpx.AsyncClient, anon_key: str, service_key: str, database: Database
) -> None:
    await database.execute("revoke all on parts from service_role")

    refused = await http.get("/items", headers={"Authorization": f"Bearer {anon_key}"})
    forbidden = await http.get("/parts", headers={"Authorization": f"Bearer {service_key}"})
    await database.execute("grant all on parts to service_role")

    assert (refused.status_code, refused.json()["code"]) == (401, "42501")
    assert refused.json()["message"] == "permission denied for table items"
    assert (forbidden.status_code, forbidden.json()["code"]) == (403, "42501")


async def test_schema_notify_is_closed_to_the_anonymous(anonymous: AsyncClient) -> None:
    with pytest.raises(APIError) as refusal:
        await anonymous.schema("notify").rpc("beat_canary", {"p_listener_id": "x"}).execute()

    assert refusal.value.code == "42501"


@pytest.mark.parametrize(("method", "header"), [("GET", "Accept-Profile"), ("POST", "Content-Profile")])
async def test_a_schema_that_is_not_exposed_is_refused(http: httpx.AsyncClient, method: str, header: str) -> None:
    response = await http.request(method, "/secrets", headers={header: "hidden"})

    assert response.status_code == 406
    assert response.json() == {
        "code": "PGRST106",
        "details": None,
        "hint": "Only the following schemas are exposed: public, notify",
        "message": "Invalid schema: hidden",
    }


async def test_an_unknown_table_is_told_the_nearest(http: httpx.AsyncClient) -> None:
    response = await http.get("/itemz")

    assert response.status_code == 404
    assert response.json() == {
        "code": "PGRST205",
        "details": None,
        "hint": "Perhaps you meant the table 'public.items'",
        "message": "Could not find the table 'public.itemz' in the schema cache",
    }


async def test_an_unknown_column_in_a_write_is_refused(http: httpx.AsyncClient) -> None:
    inserted = await http.post("/items", json={"name": "a", "colour": "red"})
    updated = await http.patch("/items?id=eq.1", json={"colour": "red"})

    for response in (inserted, updated):
        assert response.status_code == 400
        assert response.json() == {
            "code": "PGRST204",
            "details": None,
            "hint": None,
            "message": "Could not find the 'colour' column of 'items' in the schema cache",
        }


@pytest.mark.parametrize("query", ["colour=eq.red", "select=colour", "order=colour", "or=(id.eq.1,colour.eq.red)"])
async def test_an_unknown_column_in_a_read_is_postgresqls_error(http: httpx.AsyncClient, query: str) -> None:
    response = await http.get(f"/items?{query}")

    assert (response.status_code, response.json()["code"]) == (400, "42703")
    assert response.json()["message"] == "column items.colour does not exist"


async def test_a_table_and_a_column_created_later_are_found(supabase: AsyncClient, database: Database) -> None:
    with pytest.raises(APIError):
        await supabase.table("latecomers").select("*").execute()
    await database.execute("create table latecomers (id int)")
    await database.execute("grant all on latecomers to service_role")

    await supabase.table("latecomers").insert({"id": 1}).execute()
    await database.execute("alter table latecomers add column extra text")
    response = await supabase.table("latecomers").insert({"id": 2, "extra": "x"}).execute()
    everything = await supabase.table("latecomers").select("*").order("id").execute()
    await database.execute("drop table latecomers")

    assert response.data == [{"id": 2, "extra": "x"}]
    assert everything.data == [{"id": 1, "extra": None}, {"id": 2, "extra": "x"}]


@pytest.mark.parametrize(
    ("row", "status", "code", "message"),
    [
        ({"name": "a"}, 409, "23505", 'duplicate key value violates unique constraint "items_name_key"'),
        ({}, 400, "23502", 'null value in column "name" of relation "items" violates not-null constraint'),
        ({"name": "b", "quantity": "many"}, 400, "22P02", 'invalid input syntax for type integer: "many"'),
        ({"name": "b", "mood": "angry"}, 400, "22P02", 'invalid input value for enum mood: "angry"'),
        ({"name": "b", "code": "123456"}, 400, "22001", "value too long for type character varying(5)"),
        (
            {"name": "b", "score": -1},
            400,
            "23514",
            'value for domain positive violates check constraint "positive_check"',
        ),
    ],
)
async def test_what_a_constraint_refuses(
    http: httpx.AsyncClient, database: Database, row: dict[str, object], status: int, code: str, message: str
) -> None:
    await insert_items(database, "a")

    response = await http.post("/items", json=row)

    assert (response.status_code, response.json()["code"], response.json()["message"]) == (status, code, message)


async def test_a_foreign_key_to_nothing_is_a_conflict(http: httpx.AsyncClient) -> None:
    response = await http.post("/parts", json={"item_id": 404})

    assert (response.status_code, response.json()["code"]) == (409, "23503")
    assert response.json()["details"] == 'Key (item_id)=(404) is not present in table "items".'


async def test_a_filter_value_of_the_wrong_type_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.get("/items?id=eq.one")

    assert (response.status_code, response.json()["code"]) == (400, "22P02")
    assert response.json()["message"] == 'invalid input syntax for type bigint: "one"'


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("P0001", 400),
        ("57014", 500),
        ("42501", 403),
        ("40001", 500),
        ("PT418", 418),
        ("PT007", 500),
        ("53300", 503),
        ("22023", 400),
    ],
)
async def test_what_a_function_raises_keeps_its_texts(http: httpx.AsyncClient, code: str, status: int) -> None:
    response = await http.post("/rpc/fail", json={"code": code})

    assert response.status_code == status
    assert response.json() == {"code": code, "details": "why", "hint": "what now", "message": "told to"}


async def test_an_upsert_on_columns_without_a_constraint_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post(
        "/items?on_conflict=quantity", json={"name": "a"}, headers={"Prefer": "resolution=merge-duplicates"}
    )

    assert (response.status_code, response.json()["code"]) == (400, "42P10")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Empty or invalid json"),
        (b"{", "Empty or invalid json"),
        (b'{"name": "\xff"}', "Empty or invalid json"),
        (b"[" * 100_000, "Empty or invalid json"),
        (b'[{"name": "a"}, {"quantity": 1}]', "All object keys must match"),
        (b"[1]", "All object keys must match"),
    ],
)
async def test_a_body_that_is_not_rows_is_refused(http: httpx.AsyncClient, body: bytes, message: str) -> None:
    response = await http.post("/items", content=body, headers={"Content-Type": "application/json"})

    assert (response.status_code, response.json()["code"]) == (400, "PGRST102")
    assert response.json()["message"] == message


async def test_a_malformed_body_with_named_columns_is_postgresqls_to_refuse(http: httpx.AsyncClient) -> None:
    response = await http.post(
        "/items?columns=name", content=b'[{"name": ', headers={"Content-Type": "application/json"}
    )

    assert (response.status_code, response.json()["code"]) == (400, "22P02")
    assert response.json()["message"] == "invalid input syntax for type json"


@pytest.mark.parametrize(
    "query",
    ["order=id.up", "or=id.eq.1", "or=(id.eq.1", "or=()", "id=in.1,2", "id=is.maybe", "select=a b!", "columns="],
)
async def test_a_query_that_does_not_parse_is_refused(http: httpx.AsyncClient, query: str) -> None:
    response = await http.get(f"/items?{query}")

    assert response.status_code in {400, 501}
    assert response.json()["code"] in {"PGRST100", "EDGE501"}


async def test_the_place_of_a_mistake_is_told(http: httpx.AsyncClient) -> None:
    response = await http.get("/items?order=id.up")

    assert response.status_code == 400
    assert response.json()["message"] == '"failed to parse order (id.up)" (line 1, column 3)'


async def test_unknown_preferences_are_refused_only_when_handling_is_strict(http: httpx.AsyncClient) -> None:
    strict = await http.get("/items", headers={"Prefer": "handling=strict, anything, return=all"})
    lenient = await http.get("/items", headers={"Prefer": "anything"})

    assert lenient.status_code == 200
    assert strict.status_code == 400
    assert strict.json() == {
        "code": "PGRST122",
        "details": "Invalid preferences: anything, return=all",
        "hint": None,
        "message": "Invalid preferences given with handling=strict",
    }


async def test_the_error_of_a_head_request_is_in_its_header(supabase: AsyncClient, http: httpx.AsyncClient) -> None:
    response = await http.head("/itemz")

    assert (response.status_code, response.content) == (404, b"")
    assert response.headers["Proxy-Status"] == "PostgREST; error=PGRST205"
    with pytest.raises(APIError) as refusal:
        await supabase.table("itemz").select("*", head=True).execute()
    assert refusal.value.code == "PGRST205"


async def test_a_path_below_a_table_is_invalid(http: httpx.AsyncClient) -> None:
    response = await http.get("/items/1")

    assert (response.status_code, response.json()["code"]) == (404, "PGRST125")
