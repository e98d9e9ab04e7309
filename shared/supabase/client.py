"""The Supabase client as our adapters want it: schema `notify`, bounded time, no retries of its own."""

import httpx
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from shared.bounded_answers import bound_answers

REQUEST_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
"""A claim of 100 rows takes milliseconds; a call that takes this long counts as failed, and its caller comes back."""

LONGEST_ANSWER_BYTES = 16 * 1024 * 1024
"""The largest is a claim's: eight megabytes of rows, and the templates that they need."""


async def connect(url: str, service_role_key: str) -> tuple[AsyncClient, httpx.AsyncClient]:
    """A client and the HTTP pool beneath it, which the caller closes. Nothing is sent yet."""
    http = httpx.AsyncClient(timeout=REQUEST_TIMEOUT, limits=httpx.Limits(max_connections=50, keepalive_expiry=30.0))
    bound_answers(http, LONGEST_ANSWER_BYTES)
    client = await create_async_client(
        url, service_role_key, options=AsyncClientOptions(schema="notify", httpx_client=http)
    )
    return client, http
