"""Novu's subscriber endpoints: one by one, in bulk, and their credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.api.answers import Refused, data, validation_error
from stack.novu_sink.api.gate import Asked, Gate
from stack.novu_sink.api.plans import Category
from stack.novu_sink.api.tokens import BULK_COST

PER_BULK = 500

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
Changed = Callable[[Environment, str], None]
"""Is told of every subscriber that the API changed."""


class SubscriberEndpoints:
    """Writes cost configuration tokens, a bulk a hundred of them."""

    def __init__(self, account: Account, changed: Changed) -> None:
        self._account = account
        self._changed = changed

    def routes(self, gate: Gate) -> list[Route]:
        one = "/v2/subscribers/{subscriber_id}"
        credentials = "/v1/subscribers/{subscriber_id}/credentials"
        write: Category = "configuration"
        return [
            Route("/v1/subscribers/bulk", gate.to(self.create_many, write, cost=BULK_COST), methods=["POST"]),
            Route("/v2/subscribers", gate.to(self.create, write), methods=["POST"]),
            Route(one, gate.to(self.show, write), methods=["GET"]),
            Route(one, gate.to(self.change, write), methods=["PATCH"]),
            Route(one, gate.to(self.delete, write), methods=["DELETE"]),
            Route(credentials, gate.to(self.replace_credentials, write), methods=["PUT"]),
            Route(credentials, gate.to(self.add_credentials, write), methods=["PATCH"]),
        ]

    async def create(self, asked: Asked) -> Response:
        """Create, or unless `failIfExists`, change."""
        self._require_valid(_complaints(asked.content))
        subscriber_id = asked.content["subscriberId"]
        subscribers = asked.environment.subscribers
        if asked.request.query_params.get("failIfExists") == "true" and subscribers.find(subscriber_id):
            raise Refused(409, f"Subscriber with subscriberId: {subscriber_id} already exists", error="Conflict")
        subscribers.upsert(subscriber_id, asked.content)
        return self._told(asked.environment, subscriber_id, 201)

    async def show(self, asked: Asked) -> Response:
        subscriber_id = self._require_known(asked)
        return data(asked.environment.subscribers.find(subscriber_id))

    async def change(self, asked: Asked) -> Response:
        subscriber_id = self._require_known(asked)
        self._require_valid(_complaints({**asked.content, "subscriberId": subscriber_id}))
        asked.environment.subscribers.upsert(subscriber_id, asked.content)
        return self._told(asked.environment, subscriber_id, 200)

    async def delete(self, asked: Asked) -> Response:
        """With the messages, and not what activity there is; versions from before 2025 left these, too."""
        subscriber_id = self._require_known(asked)
        if self._account.settings.generation != "2024":
            for message in asked.environment.activity.messages():
                if message.notification.subscriber_id == subscriber_id:
                    message.deleted = True
        asked.environment.subscribers.delete(subscriber_id)
        self._changed(asked.environment, subscriber_id)
        return data({"acknowledged": True, "status": "deleted"})

    async def create_many(self, asked: Asked) -> Response:
        """Up to 500; one invalid member refuses all of them."""
        subscribers = asked.content.get("subscribers")
        if not isinstance(subscribers, list) or not 1 <= len(subscribers) <= PER_BULK:
            self._require_valid([f"subscribers must contain 1 to {PER_BULK} elements"])
        assert isinstance(subscribers, list)
        self._require_valid(
            [
                f"subscribers.{index}.{complaint}"
                for index, subscriber in enumerate(subscribers)
                for complaint in _complaints(subscriber)
            ]
        )
        created: list[dict[str, str]] = []
        updated: list[dict[str, str]] = []
        for subscriber in subscribers:
            subscriber_id = subscriber["subscriberId"]
            is_new = asked.environment.subscribers.upsert(subscriber_id, subscriber)
            (created if is_new else updated).append({"subscriberId": subscriber_id})
            self._changed(asked.environment, subscriber_id)
        return data({"created": created, "updated": updated, "failed": []}, 201)

    async def replace_credentials(self, asked: Asked) -> Response:
        return self._credentials(asked, add=False)

    async def add_credentials(self, asked: Asked) -> Response:
        return self._credentials(asked, add=True)

    def _credentials(self, asked: Asked, *, add: bool) -> Response:
        subscriber_id = self._require_known(asked)
        provider_id, credentials = asked.content.get("providerId"), asked.content.get("credentials")
        complaints = []
        if not isinstance(provider_id, str):
            complaints.append("providerId must be a string")
        if not isinstance(credentials, Mapping):
            complaints.append("credentials must be an object")
        self._require_valid(complaints)
        assert isinstance(provider_id, str)
        assert isinstance(credentials, Mapping)
        asked.environment.subscribers.set_credentials(subscriber_id, provider_id, credentials, add=add)
        return self._told(asked.environment, subscriber_id, 200)

    def _told(self, environment: Environment, subscriber_id: str, status: int) -> Response:
        self._changed(environment, subscriber_id)
        return data(environment.subscribers.find(subscriber_id), status)

    def _require_known(self, asked: Asked) -> str:
        subscriber_id: str = asked.request.path_params["subscriber_id"]
        if asked.environment.subscribers.find(subscriber_id) is None:
            raise Refused(404, "Subscriber not found", error="Not Found")
        return subscriber_id

    def _require_valid(self, complaints: list[str]) -> None:
        if complaints:
            raise validation_error(self._account.settings.generation, complaints)


def _complaints(subscriber: Any) -> list[str]:
    """What is wrong, in class-validator's words, each beginning with the member's name."""
    if not isinstance(subscriber, Mapping):
        return ["subscriberId should not be null or undefined"]
    found = []
    subscriber_id = subscriber.get("subscriberId")
    if not isinstance(subscriber_id, str) or not subscriber_id.strip():
        found.append("subscriberId should not be empty")
    email = subscriber.get("email")
    if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        found.append("email must be an email")
    found += [
        f"{name} must be a string"
        for name in ("phone", "firstName", "lastName", "avatar", "locale", "timezone")
        if subscriber.get(name) is not None and not isinstance(subscriber[name], str)
    ]
    if subscriber.get("data") is not None and not isinstance(subscriber["data"], Mapping):
        found.append("data must be an object")
    return found
