"""A command's connection to Supabase, for as long as the command lasts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from supabase import AsyncClient

from shared.settings import SupabaseSettings
from shared.supabase import client as supabase_client


@asynccontextmanager
async def supabase_session(settings: SupabaseSettings) -> AsyncIterator[AsyncClient]:
    """Nothing is sent before the first call."""
    client, http = await supabase_client.connect(
        settings.supabase_url, settings.supabase_service_role_key.get_secret_value()
    )
    async with http:
        yield client
