"""ShareStore on Supabase."""

from collections.abc import Collection
from dataclasses import dataclass

from postgrest import AsyncPostgrestClient

from shared.ports import ShareOut
from shared.supabase.sql_function import call_function


@dataclass(frozen=True, slots=True)
class SupabaseShareStore:
    """The port ShareStore, over PostgREST. Listeners of one `deployment` share; one that was not seen for
    `alive_seconds` is dead.
    """

    client: AsyncPostgrestClient
    deployment: str
    alive_seconds: float

    async def share(self, listener_id: str, hears: Collection[int], gives: Collection[int]) -> ShareOut:
        answer = await call_function(
            self.client,
            "share_shards",
            p_listener_id=listener_id,
            p_deployment=self.deployment,
            p_hears=sorted(hears),
            p_gives=sorted(gives),
            p_alive_seconds=self.alive_seconds,
        )
        return ShareOut(
            listeners={each: frozenset(shards) for each, shards in answer["listeners"].items()},
            given=frozenset(answer["given"]),
        )

    async def leave(self, listener_id: str) -> None:
        await call_function(self.client, "leave_shards", p_listener_id=listener_id)
