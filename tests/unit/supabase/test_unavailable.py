"""What a failed call to the database may say."""

from typing import Any

import httpx
import pytest
from postgrest import AsyncPostgrestClient
from postgrest.exceptions import APIError

from shared.ports import StoreUnavailable
from shared.supabase import client as supabase_client
from shared.supabase.sql_function import call_function
from shared.supabase.unavailable import store_unavailable

PERSON = "zanzibar@example.org"


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (
            {
                "code": "23514",
                "message": 'new row for relation "ent_notification" violates check constraint "not_sent"',
                "details": f"Failing row contains (1, acme, {{{PERSON}}}, ...).",
            },
            "claim: 23514 (a constraint refused a row)",
            "23514",
        ),
        (
            {"code": "22P02", "message": f'invalid input syntax for type bigint: "{PERSON}"'},
            "claim: 22P02 (a value is not valid for its type)",
            "22P02",
        ),
        ({"code": "P0001", "message": PERSON, "hint": PERSON}, "claim: P0001 (a trigger or function refused)", "P0001"),
        ({"code": "PGRST202", "message": PERSON}, "claim: PGRST202 (PostgREST refused)", "PGRST202"),
        ({"code": "503", "message": PERSON, "details": PERSON}, "claim: HTTP 503", "503"),
        ({"code": PERSON, "message": PERSON}, "claim: an answer that is none of PostgREST's", None),
        ({"code": "ZANZI", "message": PERSON}, "claim: an answer that is none of PostgREST's", None),
        ({}, "claim: an answer that is none of PostgREST's", None),
        # The gateway's: without a code, and its status is not handed on.
        ({"message": "Invalid API key", "hint": PERSON}, "claim: HTTP 401", "401"),
        ({"message": "No API key found in request", "hint": PERSON}, "claim: HTTP 401", "401"),
    ],
)
def test_of_an_answer_only_its_code_is_told(error: dict[str, Any], text: str, code: str | None) -> None:
    unavailable = store_unavailable("claim", APIError(error))

    assert (str(unavailable), unavailable.code) == (text, code)


def test_of_a_connection_only_the_kind_of_its_fault_is_told() -> None:
    unavailable = store_unavailable("claim", httpx.LocalProtocolError(f"Illegal header value b'{PERSON}'"))

    assert (str(unavailable), unavailable.code) == ("claim: LocalProtocolError", None)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (httpx.ConnectError(PERSON), "claim: no connection (ConnectError)"),
        (httpx.ConnectTimeout(PERSON), "claim: no connection in time (ConnectTimeout)"),
        (httpx.ReadTimeout(PERSON), "claim: no answer in time (ReadTimeout)"),
        (httpx.ReadError(PERSON), "claim: the connection broke (ReadError)"),
        (
            httpx.RemoteProtocolError(PERSON),
            "claim: the connection ended before there was an answer (RemoteProtocolError)",
        ),
    ],
)
def test_what_came_instead_of_an_answer_is_told_in_our_words(error: httpx.HTTPError, text: str) -> None:
    assert str(store_unavailable("claim", error)) == text


async def test_the_answer_that_quoted_a_row_is_no_cause_and_no_context_to_be_shown() -> None:
    client, http = await supabase_client.connect("http://supabase.example", "a-key")
    async with http:
        answering(client, httpx.Response(400, json={"code": "23514", "message": "refused", "details": PERSON}))
        with pytest.raises(StoreUnavailable) as raised:
            await call_function(client, "record_outcomes", p_enterprise_id="acme")

    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def answering(client: AsyncPostgrestClient, response: httpx.Response) -> None:
    """Every request of the client's is answered so."""
    client.session._transport = httpx.MockTransport(lambda request: response)
