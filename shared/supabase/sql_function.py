"""How every store reaches the database: one call of an SQL function (docs/database_functions.md) for each method."""

from typing import Any, Protocol

import httpx
from postgrest import AsyncPostgrestClient
from postgrest.exceptions import APIError

from shared.bounded_answers import AnswerTooLarge
from shared.ports import StoreAnswerTooLarge, StoreUnavailable
from shared.supabase.unavailable import store_unavailable


class CallFunction(Protocol):
    """How an SQL function is called. Raises as `call_function`."""

    async def __call__(self, function: str, **arguments: Any) -> Any: ...


async def call_function(client: AsyncPostgrestClient, function: str, **arguments: Any) -> Any:
    """The answer. Raises StoreUnavailable (StoreAnswerTooLarge too), which quotes neither arguments nor rows."""
    try:
        response = await client.rpc(function, arguments).execute()
    except AnswerTooLarge as error:
        raise StoreAnswerTooLarge(f"{function}: {error}") from None
    except (APIError, httpx.HTTPError) as error:
        raise store_unavailable(function, error) from None
    except (ValueError, RecursionError) as error:
        # The functions hand out nothing that could be the reason; the cause would quote what is.
        raise StoreUnavailable(f"{function}: its answer is no JSON that can be read ({type(error).__name__})") from None
    return response.data
