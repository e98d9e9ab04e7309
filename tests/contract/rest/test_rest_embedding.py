"""`select=*,maker:makers!goods_maker(*)`: rows within rows, by foreign keys."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from supabase import AsyncClient

from tests.contract.rest.rows import Database, insert_items

_ADA = {"id": 1, "name": "Ada", "owner_id": None}
_BOB = {"id": 2, "name": "Bob", "owner_id": 1}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("goods?select=id,maker:makers!goods_maker(*)&id=eq.1", [{"id": 1, "maker": _ADA}]),
        ("goods?select=id,makers!goods_maker(*)&id=eq.3", [{"id": 3, "makers": None}]),
        ("goods?select=id,makers!seller_id(name)&id=eq.1", [{"id": 1, "makers": {"name": "Bob"}}]),
        ("goods?select=seller_id(name)&id=eq.1", [{"seller_id": {"name": "Bob"}}]),
        ("goods?select=goods_seller(name)&id=eq.1", [{"goods_seller": {"name": "Bob"}}]),
        ("sales?select=goods(name,sold:makers!goods_seller(*))&id=eq.4", [{"goods": {"name": "bell", "sold": _BOB}}]),
        ("goods?select=*,labels(text)&id=eq.3", None),
        ("goods?select=id,labels(text)&order=id", [
            {"id": 1, "labels": {"text": "heavy"}}, {"id": 2, "labels": {"text": "loud"}}, {"id": 3, "labels": None},
        ]),
        ("labels?select=text,goods(name)&id=eq.1", [{"text": "heavy", "goods": {"name": "anvil"}}]),
        ("goods?select=id,sales(id)&id=gt.1&order=id", [{"id": 2, "sales": [{"id": 4}]}, {"id": 3, "sales": []}]),
        ("goods?select=name,words(word)&words.order=word", [
            {"name": "anvil", "words": [{"word": "new"}, {"word": "old"}]},
            {"name": "bell", "words": [{"word": "new"}]},
            {"name": "cart", "words": []},
        ]),
        ("words?select=word,goods!goods_words(name)&id=eq.1", [{"word": "old", "goods": [{"name": "anvil"}]}]),
        ("makers?select=name,makers(name)&makers.order=id&id=eq.1", [
            {"name": "Ada", "makers": [{"name": "Bob"}, {"name": "Cyd"}]}
        ]),
        ("makers?select=name,owner:owner_id(name)&id=eq.2", [{"name": "Bob", "owner": {"name": "Ada"}}]),
        ("makers?select=owned:makers!owner_id(id)&id=eq.1", [{"owned": [{"id": 2}, {"id": 3}]}]),
        ("goods?select=id,sales(to:details->>to)&sales.details->>to=eq.y&id=eq.1", [{"id": 1, "sales": [{"to": "y"}]}]),
        ("goods?select=b:details->a->b,sales(amount)&id=eq.2", [{"b": None, "sales": [{"amount": 5}]}]),
    ],
)  # fmt: skip
async def test_what_is_embedded(http: httpx.AsyncClient, query: str, expected: list[dict[str, Any]] | None) -> None:
    response = await http.get(f"/{query}")

    assert response.status_code == 200, response.text
    if expected is None:
        expected = [{"id": 3, "name": "cart", "details": None, "maker_id": None, "seller_id": 3, "labels": None}]
    assert response.json() == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("sales.paid=is.true", {1: [1, 3], 2: [], 3: []}),
        ("sales.amount=gt.5&sales.paid=not.is.true", {1: [2], 2: [], 3: []}),
        ("sales.or=(amount.eq.5,amount.eq.20)", {1: [3], 2: [4], 3: []}),
        ("sales.not.or=(amount.eq.5,amount.eq.20)", {1: [1, 2], 2: [], 3: []}),
        ("sales.or=(paid.is.true,and(amount.gt.20,details->>to.eq.y))", {1: [1, 2, 3], 2: [], 3: []}),
        ("sales.order=amount.desc", {1: [2, 3, 1], 2: [4], 3: []}),
        ("sales.order=amount.desc&sales.limit=1", {1: [2], 2: [4], 3: []}),
        ("sales.order=amount&sales.limit=1&sales.offset=1", {1: [3], 2: [], 3: []}),
        ("sales.limit=0", {1: [], 2: [], 3: []}),
    ],
)
async def test_filters_order_and_limit_of_what_is_embedded(
    http: httpx.AsyncClient, parameters: str, expected: dict[int, list[int]]
) -> None:
    response = await http.get(f"/goods?select=id,sales(id)&order=id&{parameters}")

    assert response.status_code == 200, response.text
    assert {row["id"]: [sale["id"] for sale in row["sales"]] for row in response.json()} == expected


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("select=id,sales!inner(id)", [1, 2]),
        ("select=id,sales!inner(id)&sales.paid=is.true", [1]),
        ("select=id,sales!left(id)&sales.paid=is.true", [1, 2, 3]),
        ("select=id,makers!goods_maker!inner(name)", [1, 2]),
        ("select=id,makers!inner!goods_maker(name)&makers.name=eq.Bob", [2]),
        ("select=id,words!inner(word)&words.word=eq.new", [1, 2]),
        ("select=id,labels!inner()&labels.text=eq.loud", [2]),
        ("select=id,sales()&sales.paid=is.true&sales=not.is.null", [1]),
        ("select=id,sales()&sales=is.null", [3]),
        ("select=id,sales(),labels()&or=(sales.is.null,labels.not.is.null)", [1, 2, 3]),
        ("select=id,m:makers!goods_maker(*)&m=is.null", [3]),
        ("select=id,makers!goods_maker!inner(makers!inner())&makers.makers.name=eq.Cyd", [1]),
        ("select=id,makers!goods_seller(name)&order=makers(name).desc,id", [3, 1, 2]),
        ("select=id,labels(text)&order=labels(text).desc.nullsfirst", [3, 2, 1]),
    ],
)
async def test_rows_are_chosen_and_ordered_by_what_is_embedded(
    http: httpx.AsyncClient, query: str, ids: list[int]
) -> None:
    order = "" if "order=" in query else "&order=id"

    response = await http.get(f"/goods?{query}{order}", headers={"Prefer": "count=exact"})

    assert response.status_code == 200, response.text
    assert [row["id"] for row in response.json()] == ids
    assert response.headers["content-range"] == f"0-{len(ids) - 1}/{len(ids)}"


async def test_an_empty_embedding_is_not_shown(http: httpx.AsyncClient) -> None:
    response = await http.get("/goods?select=id,sales(),makers!goods_maker(makers())&id=eq.1")

    assert response.json() == [{"id": 1}]


@pytest.mark.parametrize("count", ["exact", "planned", "estimated"])
async def test_rows_that_must_embed_are_counted(http: httpx.AsyncClient, database: Database, count: str) -> None:
    await database.execute("analyze goods, sales")
    query = "/goods?select=id,sales!inner(id),labels()&sales.paid=is.true&labels.text=eq.loud&limit=1"

    response = await http.get(query, headers={"Prefer": f"count={count}"})

    total = response.headers["content-range"].partition("/")[2]
    assert (response.json(), total.isdigit()) == ([{"id": 1, "sales": [{"id": 1}, {"id": 3}]}], True)
    assert total == "1" or count == "planned"


async def test_what_a_write_and_a_function_return(http: httpx.AsyncClient, database: Database) -> None:
    await insert_items(database, "a", "b")
    wanted = {"Prefer": "return=representation"}

    hidden = await http.post("/rpc/goods_above?select=id,sales()&sales.id=eq.1", json={"lowest": 2})
    inserted = await http.post("/parts?select=id,item:items(name)", json={"item_id": 2}, headers=wanted)
    updated = await http.patch("/items?id=eq.2&select=name,parts(item_id)", json={"quantity": 1}, headers=wanted)
    deleted = await http.delete("/parts?id=eq.1&select=items(name,quantity)", headers=wanted)
    called = await http.post("/rpc/goods_above?select=id,labels(text)&labels.text=eq.loud", json={"lowest": 1})

    assert hidden.json() == [{"id": 3}]
    assert inserted.json() == [{"id": 1, "item": {"name": "b"}}]
    assert updated.json() == [{"name": "b", "parts": [{"item_id": 2}]}]
    assert deleted.json() == [{"items": {"name": "b", "quantity": 1}}]
    assert called.json() == [{"id": 2, "labels": {"text": "loud"}}, {"id": 3, "labels": None}]


async def test_no_way_there(http: httpx.AsyncClient) -> None:
    unknown = await http.get("/goods?select=*,sale(*)")
    hinted = await http.get("/goods?select=*,sales!maker_id(*)")

    assert unknown.status_code == 400
    assert unknown.json() == {
        "code": "PGRST200",
        "details": "Searched for a foreign key relationship between 'goods' and 'sale' in the schema 'public', but no"
        " matches were found.",
        "hint": "Perhaps you meant 'sales' instead of 'sale'.",
        "message": "Could not find a relationship between 'goods' and 'sale' in the schema cache",
    }
    assert (hinted.status_code, hinted.json()["details"]) == (
        400,
        "Searched for a foreign key relationship between 'goods' and 'sales' using the hint 'maker_id' in the schema"
        " 'public', but no matches were found.",
    )


async def test_two_ways_there(http: httpx.AsyncClient) -> None:
    response = await http.get("/goods?select=*,makers(*)")

    assert response.status_code == 300
    assert response.json() == {
        "code": "PGRST201",
        "details": [
            {
                "cardinality": "many-to-one",
                "embedding": "goods with makers",
                "relationship": f"{key} using goods({column}) and makers(id)",
            }
            for key, column in (("goods_maker", "maker_id"), ("goods_seller", "seller_id"))
        ],
        "hint": "Try changing 'makers' to one of the following: 'makers!goods_maker', 'makers!goods_seller'. Find the"
        " desired relationship in the 'details' key.",
        "message": "Could not embed because more than one relationship was found for 'goods' and 'makers'",
    }


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("sales.id=eq.1", "PGRST108", "'sales' is not an embedded resource in this request"),
        ("select=*,sales(*)&sales.goods.id=eq.1", "PGRST108", "'goods' is not an embedded resource in this request"),
        ("sales.order=id", "PGRST108", "'sales' is not an embedded resource in this request"),
        ("order=labels(text)", "PGRST108", "'labels' is not an embedded resource in this request"),
        ("select=*,sales(*)&order=sales(id)", "PGRST118", "A related order on 'sales' is not possible"),
        ("select=*,sales(*)&sales=eq.1", "PGRST120", "Bad operator on the 'sales' embedded resource"),
        ("select=*,sales(nocol)", "42703", "column sales_1.nocol does not exist"),
        ("select=*,sales(", "PGRST100", '"failed to parse select parameter (*,sales()" (line 1, column 9)'),
        ("select=*,sales(id", "PGRST100", '"failed to parse select parameter (*,sales(id)" (line 1, column 11)'),
    ],
)
async def test_refusals(http: httpx.AsyncClient, query: str, code: str, message: str) -> None:
    response = await http.get(f"/goods?{query}")

    assert (response.status_code, response.json()["code"], response.json()["message"]) == (400, code, message)


async def test_a_foreign_key_made_later_is_found(http: httpx.AsyncClient, database: Database) -> None:
    await http.get("/items?limit=0")
    await database.execute(
        "create table public.later (id int primary key, maker_id int references public.makers (id));"
        " grant select on public.later to service_role"
    )

    response = await http.get("/makers?select=later(*)&id=eq.1")

    assert response.json() == [{"later": []}]
    await database.execute("drop table public.later")


async def test_who_may_not_read_a_table_may_not_embed_it(http: httpx.AsyncClient, database: Database) -> None:
    await database.execute("revoke select on public.labels from service_role")

    response = await http.get("/goods?select=labels(*)")

    assert (response.status_code, response.json()["code"]) == (403, "42501")
    await database.execute("grant select on public.labels to service_role")


async def test_supabase_py_embeds(supabase: AsyncClient, database: Database) -> None:
    answer = await (
        supabase.table("goods")
        .select("name, maker:makers!goods_maker!inner(name), sales(amount)", count=None)
        .eq("maker.name", "Ada")
        .order("amount", desc=True, foreign_table="sales")
        .limit(2, foreign_table="sales")
        .execute()
    )
    either = (
        await supabase.table("goods")
        .select("id, sales(id)")
        .order("id")
        .or_("paid.is.true,amount.eq.5", "sales")
        .execute()
    )

    assert answer.data == [{"name": "anvil", "maker": {"name": "Ada"}, "sales": [{"amount": 30}, {"amount": 20}]}]
    assert either.data == [
        {"id": 1, "sales": [{"id": 1}, {"id": 3}]},
        {"id": 2, "sales": [{"id": 4}]},
        {"id": 3, "sales": []},
    ]
