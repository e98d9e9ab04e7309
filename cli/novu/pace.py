"""Keeps requests within Novu's rate: what its `RateLimit-*` headers say is left decides how far apart they are."""

import asyncio
import re
from collections.abc import Mapping

WINDOW_SECONDS = 5.0
"""Of Novu's token buckets, where the policy does not say."""

FEW_LEFT = 0.3
"""From this share of the limit on, requests keep apart."""

SHARE_OF_THE_RATE = 0.9
"""Then; others ask Novu too."""

_WINDOW = re.compile(r"(?:^|;)w=([0-9]+)")


class Pace:
    """One category's. Without headers, as from a Novu without limits, nothing waits."""

    def __init__(self) -> None:
        self._apart_seconds = 0.0
        self._next_at = 0.0

    async def keep(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        turn = max(loop.time(), self._next_at)
        self._next_at = turn + self._apart_seconds
        await asyncio.sleep(turn - loop.time())

    def heed(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer."""
        try:
            limit, remaining = int(headers["RateLimit-Limit"]), int(headers["RateLimit-Remaining"])
        except (KeyError, ValueError):
            return
        window = _WINDOW.search(headers.get("RateLimit-Policy", ""))
        per_second = limit / (float(window[1]) if window else WINDOW_SECONDS)
        few = limit > 0 and remaining <= limit * FEW_LEFT
        self._apart_seconds = 1 / (per_second * SHARE_OF_THE_RATE) if few else 0.0
