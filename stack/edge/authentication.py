"""Who is asking: the gateway's check of the API key, and PostgREST's of the bearer token.

An API key is a JWT signed with the stack's secret, as Supabase's legacy anon and service_role keys are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.types import Options
from starlette.responses import JSONResponse, Response

from stack.edge.rest.errors import RestError, invalid_token

ANONYMOUS_ROLE = "anon"
_ALGORITHMS = ("HS256",)
_CLOCK_SKEW_SECONDS = 30
_CHECKS: Options = {"verify_aud": False, "verify_sub": False, "verify_jti": False}
_SIGNATURE_ONLY: Options = {**_CHECKS, "verify_exp": False}


@dataclass(frozen=True)
class Identity:
    """The database role a request runs as, and its token's claims as JSON text."""

    role: str
    claims: str

    @property
    def is_anonymous(self) -> bool:
        return self.role == ANONYMOUS_ROLE


def refuse_api_key(api_key: str | None, secret: str) -> Response | None:
    """The gateway's 401 for a missing or wrong API key, or None where the key is good."""
    if not api_key:
        body = {
            "message": "No API key found in request",
            "hint": "No `apikey` request header or url param was found.",
        }
        return JSONResponse(body, 401)
    try:
        jwt.decode(api_key, secret, algorithms=_ALGORITHMS, options=_SIGNATURE_ONLY)
    except jwt.InvalidTokenError:
        body = {
            "message": "Invalid API key",
            "hint": "Double check your Supabase `anon` or `service_role` API key.",
        }
        return JSONResponse(body, 401)
    return None


def identify(authorization: str | None, secret: str) -> Identity:
    """The identity a request's `Authorization` header proves; without a bearer token, the anonymous role.

    Raises RestError PGRST301 for a token that cannot be decoded, PGRST303 for one whose claims do not hold.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return _identity({})
    return _identity(_claims(token.strip(), secret))


def _identity(claims: Mapping[str, Any]) -> Identity:
    role = claims.get("role", ANONYMOUS_ROLE)
    role = role if isinstance(role, str) else json.dumps(role)
    return Identity(role, json.dumps({**claims, "role": role}))


def _claims(token: str, secret: str) -> dict[str, Any]:
    if not token:
        raise invalid_token("PGRST301", "Empty JWT is sent in Authorization header")
    parts = token.count(".") + 1
    if parts != 3:
        raise invalid_token("PGRST301", f"Expected 3 parts in JWT; got {parts}")
    try:
        claims: dict[str, Any] = jwt.decode(
            token, secret, algorithms=_ALGORITHMS, options=_CHECKS, leeway=_CLOCK_SKEW_SECONDS
        )
    except jwt.InvalidTokenError as error:
        raise _refused_token(error) from error
    return claims


def _refused_token(error: jwt.InvalidTokenError) -> RestError:
    if isinstance(error, jwt.ExpiredSignatureError):
        return invalid_token("PGRST303", "JWT expired")
    if isinstance(error, jwt.ImmatureSignatureError):
        issued_ahead = "iat" in str(error)
        return invalid_token("PGRST303", "JWT issued at future" if issued_ahead else "JWT not yet valid")
    if isinstance(error, jwt.InvalidIssuedAtError):
        return invalid_token("PGRST303", "The JWT 'iat' claim must be a number")
    if isinstance(error, jwt.InvalidAlgorithmError):
        return invalid_token("PGRST301", "Wrong or unsupported encoding algorithm", str(error))
    if isinstance(error, jwt.InvalidSignatureError):
        details = "None of the keys was able to decode the JWT"
        return invalid_token("PGRST301", "No suitable key or wrong key type", details)
    for claim, words in (("exp", "Expiration Time"), ("nbf", "Not Before")):
        if words in str(error):
            return invalid_token("PGRST303", f"The JWT '{claim}' claim must be a number")
    return invalid_token("PGRST301", "JWT cryptographic operation failed")
