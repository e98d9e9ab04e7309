"""Watches the age of the key: a subscription ends with it, and only a new key can begin another."""

import asyncio
import base64
import binascii
import json
import time
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


async def warn_before_expiry(key: str, observer: FeedObserver) -> None:
    """Raise the alarm a week before the key expires, and once it has."""
    expiry = expires_at(key)
    if expiry is None:
        return
    when = datetime.fromtimestamp(expiry, UTC).isoformat()
    while True:
        left = expiry - time.time()
        if left <= 0:
            observer.alarm("supabase_key_expired", f"the service role key expired at {when}")
            return
        if left <= WARNING_SECONDS:
            observer.alarm("supabase_key_expires_soon", f"the service role key expires at {when}")
        await asyncio.sleep(min(left, _CHECK_EVERY_SECONDS))
