"""Google's identity token, as Cloud Run hands it on after it has verified it.

Cloud Run checks signature, audience and the right to call before a request arrives, and writes a word of its own where
the signature was: nothing is left that we could verify ourselves. So it is believed only on Cloud Run
(`is_on_cloud_run`), and only with that word: a service that is open to everybody gets tokens as callers made them,
with a signature that nobody has looked at.
"""

import base64
import binascii
import os
import time
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from functions.problems import unauthenticated
from shared.telemetry.google_cloud import asks_metadata_server

IDENTITY_HEADERS = ("X-Serverless-Authorization", "Authorization")
"""Cloud Run checks the first of these that is there, and passes the other on unchecked."""

SIGNATURE_TAKEN_AWAY = "SIGNATURE_REMOVED_BY_GOOGLE"

MOST_TOKEN_CHARACTERS = 8192
CLOCKS_DIFFER_BY_SECONDS = 60

_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_SET_BY_CLOUD_RUN = ("K_SERVICE", "K_REVISION", "K_CONFIGURATION")


class _Claims(BaseModel):
    """What we read of a token; there is more in it."""

    model_config = ConfigDict(strict=True)

    iss: str
    exp: int = Field(le=2**53)
    email: str = ""
    sub: str = ""


def is_on_cloud_run() -> bool:
    """Whether this process is an instance of a Cloud Run service: what it sets is there, and Google's metadata server
    answers. The first alone anybody can set by mistake.
    """
    return all(os.environ.get(name) for name in _SET_BY_CLOUD_RUN) and asks_metadata_server()


def caller_of(headers: Mapping[str, str]) -> str:
    """The email, else the subject, of the token that the platform let pass. Raises Problem `unauthenticated`."""
    authorization = next((headers[name] for name in IDENTITY_HEADERS if name in headers), "")
    scheme, _, token = authorization.partition(" ")
    parts = token.split(".") if len(token) <= MOST_TOKEN_CHARACTERS else []
    if scheme.lower() != "bearer" or len(parts) != 3:
        raise unauthenticated("an identity token is needed as Authorization: Bearer")
    if parts[2] != SIGNATURE_TAKEN_AWAY:
        raise unauthenticated("the platform has not verified the identity token: is the service open to everybody?")
    claims = _read(parts[1])
    if claims.iss not in _ISSUERS:
        raise unauthenticated("the identity token is not Google's")
    if claims.exp < time.time() - CLOCKS_DIFFER_BY_SECONDS:
        raise unauthenticated("the identity token has expired")
    if not (claims.email or claims.sub):
        raise unauthenticated("the identity token names nobody")
    return claims.email or claims.sub


def _read(part: str) -> _Claims:
    try:
        return _Claims.model_validate_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValidationError, ValueError):
        raise unauthenticated("the identity token cannot be read") from None
