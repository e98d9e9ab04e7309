"""Novu's `GET /v1/notifications` and `GET /v1/messages`: pages, newest first, as far back as the plan keeps them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.activity.shapes import message_json, notification_json
from stack.novu_sink.activity.store import Message, Notification
from stack.novu_sink.api.answers import AsciiJSONResponse, Refused, data, validation_error
from stack.novu_sink.api.gate import Asked, Gate
from stack.novu_sink.api.paging import whole_number
from stack.novu_sink.worker.worker import Worker

DEFAULT_PAGE = 10
NOTIFICATIONS_PER_PAGE = 50
MESSAGES_PER_PAGE = 100
_LAST_PAGE = 10**9

Entry = TypeVar("Entry", Notification, Message)


class ActivityEndpoints:
    """Entries show once the worker took the event, and a while later where that is set."""

    def __init__(self, account: Account, worker: Worker) -> None:
        self._account = account
        self._worker = worker

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route("/v1/notifications", gate.to(self.notifications)),
            Route("/v1/messages", gate.to(self.messages)),
            Route("/v1/messages/{message_id}", gate.to(self.delete_message), methods=["DELETE"]),
        ]

    async def notifications(self, asked: Asked) -> Response:
        """One entry per event and subscriber."""
        await self._worker.present()
        query = asked.request.query_params
        found = self._within_time(self._of_transactions(asked), asked.request)
        subscriber_ids = set(query.getlist("subscriberIds"))
        channels = set(query.getlist("channels"))
        chosen = [
            one
            for one in found
            if (not subscriber_ids or one.subscriber_id in subscriber_ids)
            and (not channels or any(job.step["type"] in channels for job in one.jobs))
        ]
        page = [
            notification_json(one, _subscriber(asked.environment, one))
            for one in self._page(asked, chosen, NOTIFICATIONS_PER_PAGE)
        ]
        return self._answer(asked, page, len(chosen), NOTIFICATIONS_PER_PAGE)

    async def messages(self, asked: Asked) -> Response:
        """One entry per message."""
        await self._worker.present()
        query = asked.request.query_params
        messages = (
            job.message
            for one in self._of_transactions(asked)
            for job in one.jobs
            if job.message is not None and not job.message.deleted
        )
        subscriber_id, channel = query.get("subscriberId"), query.get("channel")
        if subscriber_id is not None and asked.environment.subscribers.find(subscriber_id) is None:
            subscriber_id = None  # of somebody whom Novu does not know it lists everybody's
        chosen = [
            one
            for one in self._within_time(messages, asked.request)
            if subscriber_id in (None, one.notification.subscriber_id) and channel in (None, one.channel)
        ]
        page = [
            message_json(one, _subscriber(asked.environment, one.notification))
            for one in self._page(asked, chosen, MESSAGES_PER_PAGE)
        ]
        return self._answer(asked, page, len(chosen), MESSAGES_PER_PAGE)

    async def delete_message(self, asked: Asked) -> Response:
        await self._worker.present()
        message = asked.environment.activity.message(asked.request.path_params["message_id"])
        if message is None or message.deleted:
            raise Refused(404, "Message not found", error="Not Found")
        message.deleted = True
        return data({"acknowledged": True, "status": "deleted"})

    def _of_transactions(self, asked: Asked) -> list[Notification]:
        query = asked.request.query_params
        transaction_ids = [*query.getlist("transactionId"), *query.getlist("transactionId[]")]
        activity = asked.environment.activity
        if not transaction_ids:
            return activity.notifications
        return [
            one for transaction_id in dict.fromkeys(transaction_ids) for one in activity.of_transaction(transaction_id)
        ]

    def _within_time(self, entries: Iterable[Entry], request: Request) -> list[Entry]:
        now = time.time()
        after = max(now - self._account.retention_seconds, self._instant(request, "after", 0.0))
        before = min(now - self._account.settings.activity.delay_seconds, self._instant(request, "before", now))
        return sorted((one for one in entries if after <= one.at <= before), key=lambda one: one.at, reverse=True)

    def _instant(self, request: Request, name: str, default: float) -> float:
        text = request.query_params.get(name)
        if text is None:
            return default
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            raise validation_error(self._generation, [f"{name} must be a valid ISO 8601 date string"]) from None

    def _page(self, asked: Asked, entries: Sequence[Entry], most: int) -> Sequence[Entry]:
        page, limit = self._page_and_limit(asked, most)
        return entries[page * limit : (page + 1) * limit]

    def _answer(self, asked: Asked, content: list[dict[str, Any]], total: int, most: int) -> Response:
        page, limit = self._page_and_limit(asked, most)
        has_more = total > (page + 1) * limit
        return AsciiJSONResponse({"page": page, "hasMore": has_more, "pageSize": limit, "data": content})

    def _page_and_limit(self, asked: Asked, most: int) -> tuple[int, int]:
        page = whole_number(asked.request, "page", 0, 0, _LAST_PAGE, self._generation)
        return page, whole_number(asked.request, "limit", DEFAULT_PAGE, 1, most, self._generation)

    @property
    def _generation(self) -> str:
        return self._account.settings.generation


def _subscriber(environment: Environment, notification: Notification) -> dict[str, Any]:
    """Deleted ones keep their id."""
    return environment.subscribers.find(notification.subscriber_id) or {"subscriberId": notification.subscriber_id}
