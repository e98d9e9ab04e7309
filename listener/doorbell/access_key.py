"""Watches the age of the key: a subscription ends with it, and only a new key can begin another."""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from listener.doorbell.observer import FeedObserver

WARNING_SECONDS = 7 * 24 * 3600.0
_CHECK_EVERY_SECONDS = 3600.0


def expires_at(key: str) -> float | None:
    """The Unix time at which a JWT key expires; None for one that does not say, such as an `sb_secret_...` key."""
    try:
        _, payload, _ = key.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error):
        return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    return float(expiry) if isinstance(expiry, int | float) else None


async def warn_before_expiry(key: Callable[[], str], observer: FeedObserver) -> None:
    """Raise the alarm a week before the key of now expires, and once it has, every hour; another may replace it."""
    while True:
        left = _CHECK_EVERY_SECONDS
        if (expiry := expires_at(key())) is not None:
            when = datetime.fromtimestamp(expiry, UTC).isoformat()
            left = expiry - time.time()
            if left <= 0:
                observer.alarm("supabase_key_expired", f"the service role key expired at {when}")
            elif left <= WARNING_SECONDS:
                observer.alarm("supabase_key_expires_soon", f"the service role key expires at {when}")
        await asyncio.sleep(min(left, _CHECK_EVERY_SECONDS) if left > 0 else _CHECK_EVERY_SECONDS)
