"""Builders: an event as Novu reads it, and as our port gives it."""

from __future__ import annotations

from typing import Any

from shared.ports import TriggerEvent


def event_body(transaction_id: str = "t1", **fields: Any) -> dict[str, Any]:
    """A well-formed event; a field given as None is left out."""
    body = {"name": "welcome", "to": ["ada"], "payload": {"n": 1}, "transactionId": transaction_id} | fields
    return {name: value for name, value in body.items() if value is not None}


def event(
    transaction_id: str = "t1",
    *,
    workflow: str = "welcome",
    recipients: tuple[str, ...] = ("ada",),
    payload: dict[str, Any] | None = None,
    overrides: dict[str, Any] | None = None,
) -> TriggerEvent:
    return TriggerEvent(workflow, recipients, {"n": 1} if payload is None else payload, overrides or {}, transaction_id)


def events(count: int, **fields: Any) -> list[TriggerEvent]:
    return [event(f"t{number}", **fields) for number in range(1, count + 1)]
