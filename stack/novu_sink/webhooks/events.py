"""The bodies of webhook requests."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from stack.novu_sink.account import Environment
from stack.novu_sink.activity.shapes import message_json
from stack.novu_sink.activity.store import Message
from stack.novu_sink.api.answers import timestamp


def message_event(
    environment: Environment, kind: str, message: Message, error: str | None, at: float
) -> dict[str, Any]:
    """Of one message; `error` is what the provider said, which may come with message.sent."""
    subscriber = environment.subscribers.find(message.notification.subscriber_id) or {}
    content: dict[str, Any] = {"object": message_json(message, subscriber)}
    if error is not None:
        content["error"] = {"message": error}
        if message.channel == "push":
            content["error"]["push"] = {"reason": "generic_error", "deviceToken": "device-token"}
    return _event(environment, kind, "message", content, at)


def workflow_event(
    environment: Environment, kind: str, workflow: Mapping[str, Any], before: Mapping[str, Any] | None, at: float
) -> dict[str, Any]:
    """Of a workflow that was made, changed, deleted or published."""
    content: dict[str, Any] = {"object": dict(workflow)}
    if before is not None:
        content["previousObject"] = dict(before)
    return _event(environment, kind, "workflow", content, at)


def _event(environment: Environment, kind: str, of: str, content: dict[str, Any], at: float) -> dict[str, Any]:
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "type": kind,
        "object": of,
        "timestamp": timestamp(at),
        "environmentId": environment.identifier,
        "data": content,
    }
