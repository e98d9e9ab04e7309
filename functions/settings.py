"""What the functions read from the environment (docs/configuration.md)."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from shared.settings import EVERY_ENTERPRISE, EnterpriseSettings, Settings, SubscriberIdSettings, is_enterprise_id

_CALLER_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One caller's key, of which only the SHA-256 is known; `enterprise_ids` None means all that are served."""

    caller: str
    sha256: str
    enterprise_ids: frozenset[str] | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name:sha256hex`, `name:sha256hex:enterprise,...` or `name:sha256hex:*`. Raises ValueError, which quotes
        no hash.
        """
        caller, _, rest = text.partition(":")
        sha256, is_restricted, enterprises = rest.partition(":")
        if not _CALLER_NAME.fullmatch(caller):
            raise ValueError("a caller's name is 1-64 of letters, digits, '_', '-', '.'")
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"the key of {caller} must be given as its SHA-256, 64 hexadecimal digits in lower case")
        # An empty list is refused: a script that found none would make an operator.
        if not is_restricted or enterprises.strip() == EVERY_ENTERPRISE:
            return cls(caller, sha256, None)
        ids = frozenset(part.strip() for part in enterprises.split(",") if part.strip())
        if not all(map(is_enterprise_id, ids)):
            raise ValueError(
                f"the list of {caller} holds what is no enterprise's id: 1-64 of letters, digits, '_', '-', '.'"
            )
        if not ids:
            raise ValueError(
                f"the list of enterprises of {caller} is empty: name some, or leave the colon away (or write"
                f" {EVERY_ENTERPRISE}) for a caller who may act for all"
            )
        return cls(caller, sha256, ids)


class FunctionsSettings(Settings, EnterpriseSettings, SubscriberIdSettings):
    """The functions': the enterprises that callers may name at all (`*`: every one), and how callers are known."""

    functions_api_keys: Annotated[tuple[ApiKey, ...], NoDecode] = ()
    functions_trust_platform_identity: bool = Field(False, validate_default=True)
    functions_trigger_calls_per_second: float = Field(20.0, ge=0, allow_inf_nan=False)
    functions_trigger_burst: int = Field(200, ge=1)

    @field_validator("functions_api_keys", mode="before")
    @classmethod
    def _split_api_keys(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(ApiKey.parse(part.strip()) for part in value.split(";") if part.strip())

    @field_validator("functions_api_keys")
    @classmethod
    def _are_distinct_and_of_served_enterprises(
        cls, value: tuple[ApiKey, ...], info: ValidationInfo
    ) -> tuple[ApiKey, ...]:
        if len({key.caller for key in value}) < len(value) or len({key.sha256 for key in value}) < len(value):
            raise ValueError("every caller has a name and a key of its own")
        served = frozenset(info.data.get("daemon_enterprise_ids", ()))
        is_listed = bool(served) and served != {EVERY_ENTERPRISE}
        for key in value:
            if is_listed and key.enterprise_ids is not None and not key.enterprise_ids <= served:
                raise ValueError(f"{key.caller} is given enterprises that DAEMON_ENTERPRISE_IDS does not name")
        return value

    @field_validator("functions_trust_platform_identity")
    @classmethod
    def _somebody_can_call(cls, value: bool, info: ValidationInfo) -> bool:
        if not value and info.data.get("functions_api_keys") == ():
            raise ValueError("must be true if FUNCTIONS_API_KEYS is empty: otherwise nobody could call")
        return value
