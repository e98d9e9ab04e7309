"""Who is calling: by API key, or by the identity token that the platform has verified before it let the call in."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.problems import Problem, ProblemCode
from functions.settings import ApiKey

API_KEY_HEADER = "X-Api-Key"

IDENTITY_HEADERS = ("X-Serverless-Authorization", "Authorization")
"""Cloud Run checks the first of these that is there, and passes the other on unchecked."""


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is for the audit log; `is_operator` says that the caller may act for every enterprise served."""

    name: str
    enterprise_ids: frozenset[str]
    is_operator: bool


class Callers:
    """All who may call."""

    def __init__(
        self, api_keys: Sequence[ApiKey], served_enterprise_ids: Sequence[str], *, trust_platform_identity: bool
    ) -> None:
        self._api_keys = api_keys
        self._served = frozenset(served_enterprise_ids)
        self._trust_platform_identity = trust_platform_identity

    def identify(self, headers: Mapping[str, str]) -> Caller:
        """The caller. Raises Problem `unauthenticated`."""
        api_key = headers.get(API_KEY_HEADER)
        if api_key is not None:
            return self._by_api_key(api_key)
        if self._trust_platform_identity:
            return Caller(_platform_identity(headers), self._served, is_operator=True)
        raise _unauthenticated(f"the header {API_KEY_HEADER} is missing")

    def _by_api_key(self, presented: str) -> Caller:
        digest = hashlib.sha256(presented.encode()).hexdigest()
        # All are compared, each in constant time, so that the time taken tells nothing about any.
        matches = [key for key in self._api_keys if hmac.compare_digest(key.sha256, digest)]
        if not matches:
            raise _unauthenticated(f"the key in {API_KEY_HEADER} is not known")
        key = matches[0]
        return Caller(key.caller, key.enterprise_ids or self._served, is_operator=key.enterprise_ids is None)


def _platform_identity(headers: Mapping[str, str]) -> str:
    """The email, else the subject, of the token that the platform let pass: it removes the signature, so there is
    nothing left for us to verify.
    """
    authorization = next((headers[name] for name in IDENTITY_HEADERS if name in headers), "")
    scheme, _, token = authorization.partition(" ")
    parts = token.split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:
        raise _unauthenticated("an identity token is needed as Authorization: Bearer")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        raise _unauthenticated("the identity token cannot be read") from None
    name = (claims.get("email") or claims.get("sub")) if isinstance(claims, dict) else None
    if not isinstance(name, str) or not name:
        raise _unauthenticated("the identity token names nobody")
    return name


def _unauthenticated(detail: str) -> Problem:
    return Problem(ProblemCode.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": 'Bearer realm="xnovu"'})
