"""Tokens as the Realtime server checks them: at the handshake, at a join and when one is pushed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any

import jwt
from jwt.types import Options

_ALGORITHMS = ("HS256",)
# Claims are checked below: the real server allows no clock skew and has its own words for each fault.
_SIGNATURE_ONLY: Options = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False,
    "verify_aud": False, "verify_sub": False, "verify_jti": False,
}  # fmt: skip


class TokenFault(Enum):
    """Why a token is refused."""

    MALFORMED = "The token provided is not a valid JWT"
    SIGNATURE = "Failed to validate JWT signature"
    EXPIRED = "Token has expired"
    CLAIMS = "Fields `role` and `exp` are required in JWT"
    EXPIRY_IS_NO_NUMBER = "Error connecting to Realtime"


class TokenRefused(Exception):
    """A token that does not admit, and since how many whole seconds if it is because it expired."""

    def __init__(self, fault: TokenFault, expired_seconds: int = 0) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.expired_seconds = expired_seconds

    def on_handshake(self) -> str:
        return self.fault.value

    def on_join(self) -> str:
        prefix = {TokenFault.MALFORMED: "MalformedJWT", TokenFault.SIGNATURE: "JwtSignatureError"}
        return f"{prefix.get(self.fault, 'InvalidJWTToken')}: {self._with_age()}"

    def on_push(self) -> str:
        return ":signature_error" if self.fault is TokenFault.SIGNATURE else self._with_age()

    def _with_age(self) -> str:
        return expiry_text(self.expired_seconds) if self.fault is TokenFault.EXPIRED else self.fault.value


@dataclass(frozen=True)
class Token:
    """A token that admits: the database role it acts as, all its claims as JSON text, its end in Unix seconds."""

    text: str
    role: str
    claims: str
    expires_at: float


def expiry_text(seconds_ago: int) -> str:
    return f"Token has expired {seconds_ago} seconds ago"


def verify_token(text: str, secret: str) -> Token:
    """Raises TokenRefused unless `text` is signed with `secret`, not expired, and names role and expiry (a number)."""
    try:
        claims: dict[str, Any] = jwt.decode(text, secret, algorithms=_ALGORITHMS, options=_SIGNATURE_ONLY)
    except jwt.InvalidSignatureError as error:
        raise TokenRefused(TokenFault.SIGNATURE) from error
    except jwt.InvalidTokenError as error:
        raise TokenRefused(TokenFault.MALFORMED) from error
    role, expires_at = claims.get("role"), claims.get("exp")
    if role is None or expires_at is None:
        raise TokenRefused(TokenFault.CLAIMS)
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        raise TokenRefused(TokenFault.EXPIRY_IS_NO_NUMBER)
    overdue = time.time() - expires_at
    if overdue >= 0:
        raise TokenRefused(TokenFault.EXPIRED, int(overdue))
    # A role that is no text is let in all the same; the database knows no such role.
    return Token(text, role if isinstance(role, str) else json.dumps(role), json.dumps(claims), expires_at)
