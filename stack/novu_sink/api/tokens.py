"""Novu's rate limit: one token bucket per organisation and category, refilled once it cannot pay."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stack.novu_sink.api.answers import Refused
from stack.novu_sink.api.plans import PLANS, UNLIMITED, Category

WINDOW_SECONDS = 5
BURST_SHARE = 0.1
BULK_COST = 100
"""Whatever the bulk holds."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    refilled_at: float


class Tokens:
    """What is left of an organisation's requests."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, Category], _Bucket] = {}

    def take(self, plan: str, category: Category, cost: int, now: float) -> dict[str, str]:
        """Pay for one request; returns the headers of its answer, none where the plan has no limits.

        Raises:
            Refused: 429, with the same headers and Retry-After in whole seconds.
        """
        if plan == UNLIMITED:
            return {}
        per_second = PLANS[plan].requests_per_second[category]
        limit = per_second * WINDOW_SECONDS
        most = math.floor(limit * (1 + BURST_SHARE))
        bucket = self._buckets.setdefault((plan, category), _Bucket(most, now))
        if bucket.tokens < cost:
            bucket.tokens = min(most, bucket.tokens + math.floor((now - bucket.refilled_at) * per_second))
            bucket.refilled_at = now
        enough = bucket.tokens >= cost
        missing = max(cost - (bucket.tokens - cost if enough else bucket.tokens), 0)
        reset_seconds = math.ceil(missing / per_second)
        if enough:
            bucket.tokens -= cost
        policy = {
            "w": str(WINDOW_SECONDS),
            "burst": str(most),
            "comment": '"token bucket"',
            "category": f'"{category}"',
            "cost": f'"{"bulk" if cost > 1 else "single"}"',
            "serviceLevel": f'"{plan}"',
        }
        headers = {
            "RateLimit-Remaining": str(int(bucket.tokens if enough else bucket.tokens - cost)),
            "RateLimit-Limit": str(limit),
            "RateLimit-Reset": str(reset_seconds),
            "RateLimit-Policy": ";".join([str(limit), *(f"{name}={value}" for name, value in policy.items())]),
        }
        if not enough:
            raise Refused(429, "API rate limit exceeded", headers={**headers, "Retry-After": str(reset_seconds)})
        return headers

    def forget(self) -> None:
        """Every bucket is full again."""
        self._buckets.clear()
