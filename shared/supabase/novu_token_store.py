"""NovuTokens on Supabase: what all processes of a deployment share."""

from datetime import datetime

from postgrest import AsyncPostgrestClient

from shared.ports import RateCategory, TokenBlock
from shared.supabase.sql_function import call_function

GATHERED_WITHIN_SECONDS = 5.0
"""Tokens of an enterprise's own that would take longer are not booked: a rate may be of one in a minute."""

MOST_TOKENS = 1_000_000
"""In one block; the function takes no larger number."""


class SupabaseNovuTokens:
    """The port NovuTokens, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient, owner: str = "", *, within_seconds: float | None = None) -> None:
        """`owner`: whose tokens; nobody's are the deployment's. Those that would not gather `within_seconds` are not
        given.
        """
        self._client = client
        self._owner = owner
        self._within_seconds = within_seconds

    async def take(
        self,
        category: RateCategory,
        *,
        needed: int,
        spare: int,
        per_second: float,
        burst: float,
        probe_seconds: float,
    ) -> TokenBlock:
        answer = await call_function(
            self._client,
            "take_novu_tokens",
            p_category=category,
            p_needed=min(needed, MOST_TOKENS),
            p_spare=min(spare, MOST_TOKENS),
            p_per_second=per_second,
            p_burst=max(burst, 1.0),
            p_probe_seconds=probe_seconds,
            p_owner=self._owner,
            p_within_seconds=self._within_seconds,
        )
        unpaid_since = answer.get("unpaid_since")
        return TokenBlock(
            int(answer["granted"]),
            float(answer["wait_seconds"]),
            None if unpaid_since is None else datetime.fromisoformat(unpaid_since),
        )

    async def pause(self, category: RateCategory, seconds: float) -> None:
        await call_function(
            self._client, "pause_novu_tokens", p_category=category, p_seconds=seconds, p_owner=self._owner
        )

    async def note_payment(self, category: RateCategory, *, required: bool, probe_seconds: float) -> None:
        await call_function(
            self._client,
            "note_novu_payment",
            p_category=category,
            p_required=required,
            p_probe_seconds=probe_seconds,
            p_owner=self._owner,
        )


def enterprise_tokens(client: AsyncPostgrestClient, enterprise_id: str) -> SupabaseNovuTokens:
    """Those of an enterprise's own rate."""
    return SupabaseNovuTokens(client, f"//{enterprise_id}", within_seconds=GATHERED_WITHIN_SECONDS)
