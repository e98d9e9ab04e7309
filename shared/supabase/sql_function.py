"""How every store reaches the database: one call of an SQL function (docs/database_functions.md) for each method."""

from datetime import datetime
from typing import Any

import httpx
from postgrest.exceptions import APIError
from supabase import AsyncClient

from shared.ports import StoreUnavailable


async def call_function(client: AsyncClient, function: str, **arguments: Any) -> Any:
    """The function's answer. Raises StoreUnavailable; its message holds no argument."""
    try:
        response = await client.rpc(function, arguments).execute()
    except (APIError, httpx.HTTPError) as error:
        raise StoreUnavailable(f"{function}: {_reason(error)}") from error
    return response.data


def read_instant(text: str | None) -> datetime | None:
    """An instant as PostgreSQL writes it into JSON, to the microsecond; None for none."""
    return None if text is None else datetime.fromisoformat(text)


def _reason(error: APIError | httpx.HTTPError) -> str:
    """A bounded cause without the request's arguments."""
    text = f"{error.code}: {error.message}" if isinstance(error, APIError) else str(error)
    return f"{type(error).__name__}: {text}"[:300]
