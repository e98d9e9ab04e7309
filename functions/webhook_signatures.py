"""Signatures of the Standard Webhooks specification: who sent a request, and when."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence

from functions.problems import Problem, ProblemCode

TOLERANCE_SECONDS = 300
"""How far the sender's clock may be from ours: what is older may be somebody's repetition."""

_NAMES = ("webhook", "svix")
"""Novu's webhooks are Svix's, whose own headers say the same."""

_MOST_SIGNATURES = 10
_VERSION = "v1"


class Signatures:
    """Checks them by any of several secrets, so that one can follow another."""

    def __init__(self, secrets: Sequence[bytes], *, clock: Callable[[], float] = time.time) -> None:
        self._secrets = secrets
        self._clock = clock

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises Problem `invalid_signature` unless Novu signed this body lately; which part is wrong is not said."""
        for name in _NAMES:
            message_id, timestamp = headers.get(f"{name}-id", ""), headers.get(f"{name}-timestamp", "")
            signatures = headers.get(f"{name}-signature", "").split(" ")[:_MOST_SIGNATURES]
            if message_id and self._is_recent(timestamp) and self._is_signed(message_id, timestamp, body, signatures):
                return
        raise Problem(
            ProblemCode.INVALID_SIGNATURE,
            f"the call is not signed by Novu, or not within {TOLERANCE_SECONDS} s: see NOVU_WEBHOOK_SECRETS",
        )

    def _is_recent(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        return abs(self._clock() - int(timestamp)) <= TOLERANCE_SECONDS

    def _is_signed(self, message_id: str, timestamp: str, body: bytes, signatures: Sequence[str]) -> bool:
        signed = b".".join([message_id.encode("latin-1", "replace"), timestamp.encode(), body])
        presented = [digest for signature in signatures if (digest := _digest(signature)) is not None]
        # All are compared, each in constant time, so that the time taken tells nothing about any.
        matches = [
            hmac.compare_digest(hmac.digest(secret, signed, hashlib.sha256), digest)
            for secret in self._secrets
            for digest in presented
        ]
        return any(matches)


def _digest(signature: str) -> bytes | None:
    version, _, encoded = signature.partition(",")
    if version != _VERSION:
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
