"""Workflows that a test makes through Novu's own interface, and the messages that came of a trigger."""

from __future__ import annotations

from typing import Any

import httpx

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SinkProcess

ADA = {"subscriberId": "ada", "email": "ada@example.org", "phone": "+44 7700 900123", "firstName": "Ada"}


def step(kind: str, **controls: Any) -> dict[str, Any]:
    """One step; an email is written as HTML, and not sanitised unless the test says so."""
    if kind == "email":
        controls = {"editorType": "html", "disableOutputSanitization": True, "subject": "Hello", **controls}
    return {"name": kind, "type": kind, "controlValues": controls}


async def make(
    api: httpx.AsyncClient, *steps: dict[str, Any], workflow_id: str = "made", **members: Any
) -> dict[str, Any]:
    """Create the workflow; what Novu answers."""
    body = {"name": workflow_id, "workflowId": workflow_id, "steps": list(steps), **members}
    answer = await api.post("/v2/workflows", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


async def send(
    api: httpx.AsyncClient, sink: SinkProcess, to: Any = ADA, transaction_id: str = "t1", **payload: Any
) -> None:
    """Trigger the workflow, and wait until the worker has nothing left to do."""
    answer = await api.post("/v1/events/trigger", json=event_body(transaction_id, name="made", to=to, payload=payload))
    assert answer.status_code == 201, answer.text
    sink.truth()


async def messages(api: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/v1/messages", params=query)).json()["data"]
    return found


async def jobs(api: httpx.AsyncClient, transaction_id: str = "t1") -> list[dict[str, Any]]:
    """Of the event's one subscriber."""
    [entry] = (await api.get("/v1/notifications", params={"transactionId": transaction_id})).json()["data"]
    found: list[dict[str, Any]] = entry["jobs"]
    return found
