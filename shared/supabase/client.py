"""The Supabase client as our adapters want it: schema `notify`, bounded time, no retries of its own."""

import httpx
from supabase import AsyncClient, AsyncClientOptions, create_async_client

REQUEST_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
"""A claim of 100 rows takes milliseconds; a call that takes this long counts as failed, and its caller comes back."""


async def connect(url: str, service_role_key: str) -> tuple[AsyncClient, httpx.AsyncClient]:
    """A client and the HTTP pool beneath it, which the caller closes. Nothing is sent yet."""
    http = httpx.AsyncClient(timeout=REQUEST_TIMEOUT, limits=httpx.Limits(max_connections=50, keepalive_expiry=30.0))
    client = await create_async_client(
        url, service_role_key, options=AsyncClientOptions(schema="notify", httpx_client=http)
    )
    return client, http
