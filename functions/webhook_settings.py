"""What the webhook function reads from the environment: no key but the database's, and the secrets of signatures."""

import base64
import binascii
import os
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import NoDecode

from shared.settings import SupabaseSettings
from shared.telemetry import wanted as telemetry_wanted

SECRET_PREFIX = "whsec_"
SHORTEST_SECRET_BYTES = 16


class WebhookSecret(bytes):
    """A key of signatures; as text it says nothing."""

    def __repr__(self) -> str:
        return "WebhookSecret(**********)"

    __str__ = __repr__


class WebhookSettings(SupabaseSettings):
    """Where the rows are, and how Novu signs. Of several secrets any will do: an old one and its successor."""

    novu_webhook_secrets: Annotated[tuple[WebhookSecret, ...], NoDecode] = Field(min_length=1)
    daemon_log_level: Literal["debug", "info", "warn", "error"] = "info"
    xnovu_build: str = Field("unknown", validation_alias=AliasChoices("XNOVU_BUILD", "K_REVISION"))

    @classmethod
    def _other_problems(cls) -> tuple[str, ...]:
        return (*super()._other_problems(), *telemetry_wanted.find_problems(os.environ))

    @field_validator("daemon_log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("novu_webhook_secrets", mode="before")
    @classmethod
    def _read_secrets(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(_read_secret(part.strip()) for part in value.split(",") if part.strip())


def _read_secret(text: str) -> WebhookSecret:
    """Raises ValueError, which quotes nothing of it."""
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(SECRET_PREFIX) or len(secret) < SHORTEST_SECRET_BYTES:
        raise ValueError("must be Novu's signing secrets, separated by commas: whsec_ and a key in base64 each")
    return WebhookSecret(secret)
