"""Notifications and messages as Novu's endpoints and webhooks show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stack.novu_sink.activity.store import Job, Message, Notification
from stack.novu_sink.api.answers import new_id, timestamp


def notification_json(notification: Notification, subscriber: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the activity feed."""
    workflow = notification.workflow
    return {
        "_id": notification.id,
        "_environmentId": notification.environment_id,
        "_subscriberId": subscriber.get("_id"),
        "transactionId": notification.transaction_id,
        "channels": [job.step["type"] for job in notification.jobs],
        "subscriber": {
            name: subscriber[name]
            for name in ("_id", "subscriberId", "firstName", "lastName", "email", "phone")
            if subscriber.get(name) is not None
        },
        "template": {
            "_id": workflow["_id"],
            "name": workflow["name"],
            "triggers": [{"type": "event", "identifier": workflow["workflowId"], "variables": []}],
        },
        "jobs": [_job_json(job, notification) for job in notification.jobs],
        "createdAt": timestamp(notification.at),
        "updatedAt": timestamp(notification.at),
    }


def _job_json(job: Job, notification: Notification) -> dict[str, Any]:
    return {
        "_id": job.id,
        "type": job.step["type"],
        "status": job.status,
        "providerId": job.provider_id,
        "step": {"_id": job.step["_id"], "active": True, "stepId": job.step["stepId"]},
        "payload": dict(notification.payload),
        "executionDetails": [
            {
                "_id": new_id(),
                "_jobId": job.id,
                "detail": detail.detail,
                "status": detail.status,
                "source": "Internal",
                "isRetry": False,
                "isTest": False,
                "providerId": job.provider_id,
                "createdAt": timestamp(detail.at),
                **({} if detail.raw is None else {"raw": detail.raw}),
            }
            for detail in job.details
        ],
    }


def message_json(message: Message, subscriber: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `GET /v1/messages`; webhooks carry the same."""
    notification = message.notification
    workflow_id = notification.workflow["workflowId"]
    return {
        "_id": message.id,
        "_environmentId": notification.environment_id,
        "_notificationId": notification.id,
        "_subscriberId": subscriber.get("_id"),
        "transactionId": notification.transaction_id,
        "subscriberId": notification.subscriber_id,
        "subscriber": {"_id": subscriber.get("_id"), "subscriberId": notification.subscriber_id},
        "workflowId": workflow_id,
        "templateIdentifier": workflow_id,
        "stepId": message.step_id,
        "channel": message.channel,
        "status": message.status,
        "providerId": message.provider_id,
        "providerResponseId": f"response-{message.id}" if message.status == "sent" else None,
        "subject": message.subject,
        "content": message.content,
        "email": message.email,
        "phone": message.phone,
        "seen": message.seen,
        "read": message.read,
        "archived": message.archived,
        "errorId": message.error_id,
        "errorText": message.error_text,
        "deliveredAt": [timestamp(at) for at in message.delivered_at],
        "createdAt": timestamp(message.at),
        "updatedAt": timestamp(message.at),
    }
