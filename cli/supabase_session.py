"""A command's connection to Supabase, for as long as the command lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from postgrest import AsyncPostgrestClient

from cli import patience
from shared.ports import StoreUnavailable
from shared.settings import SupabaseSettings
from shared.supabase import client as supabase_client
from shared.supabase.sql_function import call_function


@asynccontextmanager
async def supabase_session(settings: SupabaseSettings) -> AsyncIterator[AsyncPostgrestClient]:
    """A connection over which something has answered once: what follows may take as long as it takes.

    Raises StoreUnavailable: nothing answers soon.
    """
    client, http = await supabase_client.connect(
        settings.supabase_url, settings.supabase_service_role_key.get_secret_value()
    )
    async with http:
        await _hear_from(client)
        yield client


async def _hear_from(client: AsyncPostgrestClient) -> None:
    """By a question that costs next to nothing. What is answered with a refusal, or with nothing at once, the command's
    own question is, too, and tells it better.
    """
    try:
        async with asyncio.timeout(patience.ANSWERS_WITHIN_SECONDS):
            with suppress(StoreUnavailable):
                await call_function(client, "heartbeats", p_max_age_seconds=0)
    except TimeoutError:
        raise StoreUnavailable(f"no answer within {patience.ANSWERS_WITHIN_SECONDS:g} s") from None
