"""Subscribers by id. Members that are not named in a change stay as they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stack.novu_sink.api.answers import new_id

MEMBERS = ("email", "phone", "firstName", "lastName", "avatar", "locale", "timezone", "data")


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a channel cannot reach a subscriber, as the message and the job's detail say it."""

    text: str
    error_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel's messages to one subscriber go."""

    email: str | None = None
    phone: str | None = None
    missing: Missing | None = None


_NO_DETAILS = "Subscriber missing recipient details"
_NO_TOKENS = "Subscriber credentials is missing the tokens for sending a push notification message"
_NO_WEBHOOK = "Webhook URL for the chat channel is missing"
_MISSING = {
    "email": Missing("Subscriber does not have an email address", "mail_unexpected_error", _NO_DETAILS),
    "sms": Missing("Subscriber does not have a phone number", "no_subscriber_phone", _NO_DETAILS),
    "push": Missing(_NO_TOKENS, "push_missing_device_tokens", _NO_TOKENS),
    "chat": Missing(_NO_WEBHOOK, "chat_missing_webhook_url", _NO_WEBHOOK),
}


class Subscribers:
    """Whoever was named once, by the API or in a trigger."""

    def __init__(self) -> None:
        self._all: dict[str, dict[str, Any]] = {}

    def all(self) -> list[dict[str, Any]]:
        return list(self._all.values())

    def find(self, subscriber_id: str) -> dict[str, Any] | None:
        return self._all.get(subscriber_id)

    def upsert(self, subscriber_id: str, members: Mapping[str, Any]) -> bool:
        """Create or change; True if it is new."""
        found = self._all.get(subscriber_id)
        is_new = found is None
        if found is None:
            found = {"_id": new_id(), "subscriberId": subscriber_id, "channels": []}
            self._all[subscriber_id] = found
        if members:
            found.update({name: members[name] for name in MEMBERS if members.get(name) is not None})
        return is_new

    def put(self, subscriber: Mapping[str, Any]) -> None:
        """Keep a whole subscriber, as the record file has it."""
        self._all[subscriber["subscriberId"]] = dict(subscriber)

    def delete(self, subscriber_id: str) -> bool:
        return self._all.pop(subscriber_id, None) is not None

    def set_credentials(
        self, subscriber_id: str, provider_id: str, credentials: Mapping[str, Any], *, add: bool
    ) -> None:
        """Replace a provider's credentials, or add device tokens to them."""
        channels = self._all[subscriber_id]["channels"]
        found = next((one for one in channels if one["providerId"] == provider_id), None)
        if found is None:
            channels.append({"providerId": provider_id, "credentials": dict(credentials)})
            return
        before = found["credentials"].get("deviceTokens") or []
        found["credentials"] = dict(credentials)
        if add and isinstance(credentials.get("deviceTokens"), list):
            found["credentials"]["deviceTokens"] = list(dict.fromkeys([*before, *credentials["deviceTokens"]]))

    def address(self, subscriber_id: str, channel: str, *, assumed: bool) -> Address:
        """Where to, or what is missing; with `assumed`, something is made up for it."""
        subscriber = self._all.get(subscriber_id) or {}
        match channel:
            case "email":
                email = subscriber.get("email") or (f"{subscriber_id}@subscriber.invalid" if assumed else None)
                return Address(email=email, missing=None if email else _MISSING[channel])
            case "sms":
                phone = subscriber.get("phone") or ("+44 7700 900000" if assumed else None)
                return Address(phone=phone, missing=None if phone else _MISSING[channel])
            case "push":
                return Address(missing=None if assumed or _has(subscriber, "deviceTokens") else _MISSING[channel])
            case "chat":
                return Address(missing=None if assumed or _has(subscriber, "webhookUrl") else _MISSING[channel])
            case _:
                return Address()


def _has(subscriber: Mapping[str, Any], credential: str) -> bool:
    return any(one["credentials"].get(credential) for one in subscriber.get("channels", []))
