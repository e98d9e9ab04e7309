"""The connections to Supabase and Temporal, opened by the first call that needs them.

Not before: the framework loads our code in a process that it forks from, which must hold no connection.
"""

import asyncio
import logging
import math
from dataclasses import dataclass
from typing import Any

import httpx
from postgrest import AsyncPostgrestClient
from temporalio.client import Client

from functions.problems import dependency_unavailable
from functions.settings import FunctionsSettings
from shared.keys import key_of
from shared.settings import SupabaseSettings
from shared.supabase import client as supabase_client
from shared.temporal import client as temporal_client

log = logging.getLogger("TemporalService")

CONNECT_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class _OpenSupabase:
    client: AsyncPostgrestClient
    http: httpx.AsyncClient


class SupabaseConnection:
    """The connection to Supabase of one process, made once and kept."""

    def __init__(self, settings: SupabaseSettings) -> None:
        self._supabase_settings = settings
        self._opening = asyncio.Lock()
        self._supabase: _OpenSupabase | None = None

    async def supabase(self) -> AsyncPostgrestClient:
        """The client; nothing is sent by this, so it always comes."""
        async with self._opening:
            if self._supabase is None:
                # A key that is refused has its file looked at: nothing runs between calls that could do so.
                key = key_of("SUPABASE_SERVICE_ROLE_KEY", self._supabase_settings.supabase_service_role_key)
                url = self._supabase_settings.supabase_url
                self._supabase = _OpenSupabase(*await supabase_client.connect(url, key))
            return self._supabase.client

    async def close(self) -> None:
        """Let go of it; the next call opens it anew."""
        async with self._opening:
            if self._supabase is not None:
                await self._supabase.http.aclose()
            self._supabase = None


class Connections(SupabaseConnection):
    """Both connections of one process; each is made once and kept, and tried again if it could not be made."""

    def __init__(self, settings: FunctionsSettings, temporal_connect_config: dict[str, Any]) -> None:
        super().__init__(settings)
        self._settings = settings
        self._temporal_connect_config = temporal_connect_config
        self._connecting = asyncio.Lock()
        self._temporal: Client | None = None
        self._failed_at = -math.inf

    async def temporal(self) -> Client:
        """The client, connected. Raises Problem `dependency_unavailable` if Temporal does not answer.

        Calls that wait while one tries to connect are told what came of that: one after the other they would try for
        longer than any of them has.
        """
        now = asyncio.get_running_loop().time
        asked_at = now()
        async with self._connecting:
            if self._temporal is None and asked_at >= self._failed_at:
                try:
                    self._temporal = await self._connect()
                except TimeoutError:
                    self._failed_at = now()
                    reason = f"no connection within {CONNECT_TIMEOUT_SECONDS:g} s"
                    log.warning("dependency_failed", extra={"dependency": "temporal", "reason": reason})
            if self._temporal is None:
                raise dependency_unavailable("temporal", "Temporal does not answer")
            return self._temporal

    async def close(self) -> None:
        """Let go of both; the next call opens them anew."""
        await super().close()
        async with self._connecting:
            self._temporal = None

    async def _connect(self) -> Client:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            return await temporal_client.connect(
                self._settings.temporal_address, self._settings.temporal_namespace, self._temporal_connect_config
            )
