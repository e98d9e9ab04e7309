"""The Supabase client as our adapters want it: schema `notify`, bounded time, no retries of its own."""

from typing import Any

import httpx
from postgrest import AsyncPostgrestClient
from pydantic_core import from_json
from supabase import AsyncClientOptions, create_async_client

from shared.bounded_answers import bound_answers
from shared.keys import Key, supabase_auth

REQUEST_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
"""A claim of 100 rows takes milliseconds; a call that takes this long counts as failed, and its caller comes back."""

LONGEST_ANSWER_BYTES = 16 * 1024 * 1024
"""The largest is a claim's: eight megabytes of rows, and the templates that they need."""

HEAVIEST_ANSWER_BYTES = 60 * 1024 * 1024
"""Of memory, once it is read: as one of that length in which a few characters are of another script."""


async def connect(url: str, service_role_key: Key | str) -> tuple[AsyncPostgrestClient, httpx.AsyncClient]:
    """What supabase-py calls the database with, and the HTTP pool beneath it, which the caller closes. Nothing is sent
    yet. Each request bears the key of its moment.
    """
    key = service_role_key if isinstance(service_role_key, Key) else Key("SUPABASE_SERVICE_ROLE_KEY", service_role_key)
    http = httpx.AsyncClient(
        timeout=REQUEST_TIMEOUT,
        limits=httpx.Limits(max_connections=50, keepalive_expiry=30.0),
    )
    bound_answers(http, LONGEST_ANSWER_BYTES, weight_bytes=HEAVIEST_ANSWER_BYTES)
    http.event_hooks["response"].append(_read_json_from_bytes)
    client = await create_async_client(url, key.current, options=AsyncClientOptions(schema="notify", httpx_client=http))
    # The library says "no authentication" with each request, unless it has been given one, by whatever name.
    client.postgrest.basic_auth = supabase_auth(key)  # type: ignore[assignment]
    return client.postgrest, http


async def _read_json_from_bytes(response: httpx.Response) -> None:
    """One character of another script would make httpx's text of the whole answer four times as large as the answer."""

    def read() -> Any:
        return from_json(response.content, allow_inf_nan=False, cache_strings="keys")

    response.json = read  # type: ignore[method-assign, assignment]
