"""Who is calling: by API key, or by the identity token that the platform has verified before it let the call in."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.platform_identity import caller_of
from functions.problems import unauthenticated
from functions.settings import ApiKey
from shared.settings import is_enterprise_id

API_KEY_HEADER = "X-Api-Key"


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is for the audit log; `is_operator` says that the caller may act for every enterprise served.

    `enterprise_ids` None: for every enterprise of the database, whoever comes.
    """

    name: str
    enterprise_ids: frozenset[str] | None
    is_operator: bool

    def may_act_for(self, enterprise_id: str) -> bool:
        """Whether the enterprise is one of the caller's."""
        if self.enterprise_ids is None:
            return is_enterprise_id(enterprise_id)
        return enterprise_id in self.enterprise_ids


class Callers:
    """All who may call."""

    def __init__(
        self, api_keys: Sequence[ApiKey], served_enterprise_ids: Sequence[str] | None, *, trust_platform_identity: bool
    ) -> None:
        """`served_enterprise_ids` None: every one of the database."""
        self._api_keys = api_keys
        self._served = None if served_enterprise_ids is None else frozenset(served_enterprise_ids)
        self._trust_platform_identity = trust_platform_identity

    def identify(self, headers: Mapping[str, str]) -> Caller:
        """The caller. Raises Problem `unauthenticated`."""
        api_key = headers.get(API_KEY_HEADER)
        if api_key is not None:
            return self._by_api_key(api_key)
        if self._trust_platform_identity:
            return Caller(caller_of(headers), self._served, is_operator=True)
        raise unauthenticated(f"the header {API_KEY_HEADER} is missing")

    def _by_api_key(self, presented: str) -> Caller:
        digest = hashlib.sha256(presented.encode()).hexdigest()
        # All are compared, each in constant time, so that the time taken tells nothing about any.
        matches = [key for key in self._api_keys if hmac.compare_digest(key.sha256, digest)]
        if not matches:
            raise unauthenticated(f"the key in {API_KEY_HEADER} is not known")
        key = matches[0]
        if key.enterprise_ids is None:
            return Caller(key.caller, self._served, is_operator=True)
        return Caller(key.caller, key.enterprise_ids, is_operator=False)
