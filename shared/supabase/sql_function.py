"""How every store reaches the database: one call of an SQL function (docs/database_functions.md) for each method."""

from datetime import datetime
from typing import Any

import httpx
from postgrest.exceptions import APIError
from supabase import AsyncClient

from shared.supabase.unavailable import store_unavailable


async def call_function(client: AsyncClient, function: str, **arguments: Any) -> Any:
    """The function's answer. Raises StoreUnavailable, which quotes neither arguments nor rows."""
    try:
        response = await client.rpc(function, arguments).execute()
    except (APIError, httpx.HTTPError) as error:
        raise store_unavailable(function, error) from None
    return response.data


def read_instant(text: str | None) -> datetime | None:
    """An instant as PostgreSQL writes it into JSON, to the microsecond; None for none."""
    return None if text is None else datetime.fromisoformat(text)
