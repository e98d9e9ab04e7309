"""NovuTokens on Supabase: what all processes of a deployment share."""

from datetime import datetime

from supabase import AsyncClient

from shared.ports import RateCategory, TokenBlock
from shared.supabase.sql_function import call_function

MOST_TOKENS = 1_000_000
"""In one block; the function takes no larger number."""


class SupabaseNovuTokens:
    """The port NovuTokens, over PostgREST."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

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
        )
        unpaid_since = answer.get("unpaid_since")
        return TokenBlock(
            int(answer["granted"]),
            float(answer["wait_seconds"]),
            None if unpaid_since is None else datetime.fromisoformat(unpaid_since),
        )

    async def pause(self, category: RateCategory, seconds: float) -> None:
        await call_function(self._client, "pause_novu_tokens", p_category=category, p_seconds=seconds)

    async def note_payment(self, category: RateCategory, *, required: bool, probe_seconds: float) -> None:
        await call_function(
            self._client,
            "note_novu_payment",
            p_category=category,
            p_required=required,
            p_probe_seconds=probe_seconds,
        )
