"""One step of one notification: its condition, its content, the address, and the provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.activity.store import Job, Message, Notification
from stack.novu_sink.integrations import CHANNELS
from stack.novu_sink.worker.conditions import UnknownOperator, step_runs
from stack.novu_sink.worker.content import Content, content_of
from stack.novu_sink.worker.providers import Providers
from stack.novu_sink.worker.rendering import RenderingFailed, render_controls

_UNIT_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800}
_ERROR_IDS = {"email": "mail_unexpected_error", "sms": "sms_provider_error", "push": "push_provider_error"}


@dataclass(frozen=True, slots=True)
class Told:
    """A message that webhooks tell of; `error` is the provider's."""

    kind: str
    message: Message
    error: str | None = None


def held_back_seconds(job: Job) -> float | None:
    """How long a delay or digest step holds back what comes after it; None for any other step, and once it is over."""
    if job.status == "completed" or job.step["type"] not in {"delay", "digest"}:
        return None
    controls = job.step.get("controlValues") or {}
    return float(controls.get("amount") or 0) * _UNIT_SECONDS.get(str(controls.get("unit")), 1)


def perform(
    job: Job, notification: Notification, environment: Environment, account: Account, providers: Providers, at: float
) -> Told | None:
    """Run a channel step and write on the job what became of it; what webhooks tell of it, if they tell anything."""
    channel = job.step["type"]
    if channel not in CHANNELS:
        job.status = "completed"
        return None
    controls = job.step.get("controlValues") or {}
    context = _context(notification, environment)
    try:
        if not step_runs(controls.get("skip"), context):
            job.status = "skipped"
            job.note(at, "Step was filtered based on steps filters", "Success")
            return None
        rendered = render_controls(controls, context, account.settings.generation)
        content = content_of(channel, rendered, context, account)
    except (RenderingFailed, UnknownOperator) as failed:
        job.status = "failed"
        job.note(at, "Message content could not be generated", "Failed", str(failed))
        return None
    return _send(job, notification, environment, account, providers, content, at)


def _send(
    job: Job,
    notification: Notification,
    environment: Environment,
    account: Account,
    providers: Providers,
    content: Content,
    at: float,
) -> Told | None:
    channel = job.step["type"]
    settings = account.settings
    integration = environment.integrations.for_channel(channel)
    if integration is None:
        job.status = "failed"
        job.note(at, "Subscriber does not have an active integration", "Failed")
        return None
    job.provider_id = integration["providerId"]
    message = Message(notification, job.step["stepId"], channel, at, subject=content.subject, content=content.body)
    message.provider_id = job.provider_id
    job.message = message
    job.note(at, "Message created", "Success")
    address = environment.subscribers.address(
        notification.subscriber_id, channel, assumed=settings.addresses == "assumed"
    )
    message.email, message.phone = address.email, address.phone
    if address.missing is not None:
        message.status, message.error_id, message.error_text = "warning", address.missing.error_id, address.missing.text
        job.status = "failed"
        job.note(at, address.missing.detail, "Failed")
        return (
            Told("message.failed", message, address.missing.text) if settings.webhooks.missing_address_fails else None
        )
    workflow_id = notification.workflow["workflowId"]
    refusal = None
    if channel != "in_app":
        refusal = providers.refusal(
            settings.provider_faults, channel, notification.subscriber_id, workflow_id, notification.transaction_id
        )
    if refusal is not None:
        message.status, message.error_text = "error", refusal
        message.error_id = _ERROR_IDS.get(channel, f"{channel}_unexpected_error")
        job.status = "failed"
        job.note(at, "Unexpected provider error", "Failed", json.dumps({"message": refusal}))
        as_sent = channel == "chat" and settings.webhooks.chat_failures_as_sent
        return Told("message.sent" if as_sent else "message.failed", message, refusal)
    job.status = "completed"
    job.note(at, "Message sent", "Success")
    return Told("message.sent", message)


def _context(notification: Notification, environment: Environment) -> Mapping[str, Any]:
    return {
        "payload": notification.payload,
        "subscriber": environment.subscribers.find(notification.subscriber_id) or {},
        "workflow": {"workflowId": notification.workflow["workflowId"], "name": notification.workflow["name"]},
        "steps": {},
        "context": {},
        "t": {},
    }
