"""The API keys of a Supabase project: tokens signed with its secret, good for ten years."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Literal

import jwt

_GOOD_FOR = timedelta(days=3650)


def new_jwt_secret() -> str:
    """A secret nobody else knows, long enough for HS256."""
    return secrets.token_hex(32)


def api_key(role: Literal["anon", "service_role"], jwt_secret: str, issued_at: int) -> str:
    """The key that makes its bearer that role; `issued_at` in seconds since 1970."""
    issued = datetime.fromtimestamp(issued_at, UTC)
    claims = {"iss": "supabase", "role": role, "iat": issued, "exp": issued + _GOOD_FOR}
    return jwt.encode(claims, jwt_secret, algorithm="HS256")
