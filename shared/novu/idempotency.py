"""`Idempotency-Key` of a call: the same for the same call, and for no other's. Pure.

Novu keeps the answer to a key for a day, where it is switched on; keys are the organisation's, so that an environment's
are marked by it. Elsewhere the header does nothing.
"""

import hashlib
from collections.abc import Sequence

from shared.ports import TriggerEvent

HEADER = "Idempotency-Key"

LONGEST_KEY = 255


class IdempotencyKeys:
    """Those of one environment, known by its secret key, of which only a hash is used."""

    def __init__(self, secret_key: str) -> None:
        self._environment = hashlib.sha256(secret_key.encode()).hexdigest()[:16]

    def of_event(self, event: TriggerEvent) -> str:
        """Of a call for one event: another after each definite no."""
        return self._key(f"{event.transaction_id}.{event.idempotency_round}")

    def of_bulk(self, events: Sequence[TriggerEvent], body: bytes) -> str:
        """Of a call for several: the same only for the same bytes."""
        rounds = ",".join(str(event.idempotency_round) for event in events)
        return self._key(hashlib.sha256(body + rounds.encode()).hexdigest())

    def _key(self, call: str) -> str:
        key = f"xnovu-{self._environment}-{call}"
        return key if len(key) <= LONGEST_KEY else self._key(hashlib.sha256(call.encode()).hexdigest())
