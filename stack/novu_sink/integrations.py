"""The providers that an environment sends through; one active, and for email and SMS primary, per channel is needed."""

from __future__ import annotations

from typing import Any

from stack.novu_sink.api.answers import new_id

CHANNELS = ("email", "in_app", "sms", "push", "chat")

_PROVIDERS = {
    "email": ("novu-email", "Novu Email"),
    "in_app": ("novu", "Novu Inbox"),
    "sms": ("novu-sms", "Novu SMS"),
    "push": ("fcm", "Firebase Cloud Messaging"),
    "chat": ("slack", "Slack"),
}
_NEED_PRIMARY = frozenset({"email", "sms"})


class Integrations:
    """One for each channel at first, all active."""

    def __init__(self, environment_id: str) -> None:
        self._environment_id = environment_id
        self._all: list[dict[str, Any]] = [self._new(channel, *_PROVIDERS[channel]) for channel in CHANNELS]

    def all(self) -> list[dict[str, Any]]:
        return list(self._all)

    def active(self) -> list[dict[str, Any]]:
        return [one for one in self._all if one["active"]]

    def for_channel(self, channel: str) -> dict[str, Any] | None:
        """The one that the channel's messages go through."""
        usable = [one for one in self.active() if one["channel"] == channel]
        if channel in _NEED_PRIMARY:
            usable = [one for one in usable if one["primary"]]
        return usable[0] if usable else None

    def switch(self, channel: str, *, active: bool) -> None:
        """Turn a channel's integrations on or off."""
        for one in self._all:
            if one["channel"] == channel:
                one["active"] = active

    def _new(self, channel: str, provider_id: str, name: str) -> dict[str, Any]:
        return {
            "_id": new_id(),
            "_environmentId": self._environment_id,
            "channel": channel,
            "providerId": provider_id,
            "name": name,
            "identifier": f"{provider_id}-{new_id()[:6]}",
            "active": True,
            "primary": channel in _NEED_PRIMARY,
            "credentials": {},
        }
