"""NotificationStore on Supabase: each method is one call of an SQL function (docs/database_functions.md)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
from postgrest.exceptions import APIError
from supabase import AsyncClient

from shared.notification.models import Channel, ClaimedBatch, Notification, NovuWorkflow, Template, WorkflowType
from shared.notification.outcomes import Outcome, Sent
from shared.ports import DueNotifications, StoreUnavailable

_TEMPLATE_REFERENCE = {
    Channel.EMAIL: "emailTemplateId",
    Channel.IN_APP: "inAppTemplateId",
    Channel.SMS: "smsTemplateId",
    Channel.PUSH: "pushTemplateId",
    Channel.CHAT: "chatTemplateId",
}


class SupabaseNotificationStore:
    """The port NotificationStore, over PostgREST."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def claim(
        self, enterprise_id: str, notification_ids: Sequence[int], *, claim_owner: str, lease_seconds: int
    ) -> ClaimedBatch:
        answer = await self._call(
            "claim_notifications",
            p_enterprise_id=enterprise_id,
            p_notification_ids=list(notification_ids),
            p_claim_owner=claim_owner,
            p_lease_seconds=lease_seconds,
        )
        workflows = {int(key): _workflow(value) for key, value in answer["workflows"].items()}
        templates = [_template(row) for row in answer["templates"]]
        return ClaimedBatch(
            notifications=tuple(
                _notification(row, workflows.get(row["notification_workflow_id"])) for row in answer["notifications"]
            ),
            templates={template.key: template for template in templates},
            deferred=tuple(answer["deferred"]),
        )

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> frozenset[int]:
        answer = await self._call(
            "record_outcomes",
            p_enterprise_id=enterprise_id,
            p_claim_owner=claim_owner,
            p_outcomes=[_outcome(outcome) for outcome in outcomes],
        )
        return frozenset(answer["recorded"])

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        answer = await self._call(
            "renew_claims",
            p_enterprise_id=enterprise_id,
            p_claim_owner=claim_owner,
            p_chunks_sent={str(key): count for key, count in chunks_sent.items()},
            p_lease_seconds=lease_seconds,
        )
        return frozenset(answer["held"])

    async def list_due(
        self, enterprise_ids: Collection[str], *, page_size: int, after_id: int = 0
    ) -> list[DueNotifications]:
        answer = await self._call(
            "due_notifications", p_enterprise_ids=sorted(enterprise_ids), p_page_size=page_size, p_after_id=after_id
        )
        return [
            DueNotifications(
                enterprise_id=page["enterprise_id"],
                notification_ids=tuple(page["notification_ids"]),
                pending=page["pending"],
                expired=page["expired"],
                has_more=page["has_more"],
            )
            for page in answer
        ]

    async def beat_canary(self, listener_id: str) -> int:
        return int(await self._call("beat_canary", p_listener_id=listener_id))

    async def _call(self, function: str, **arguments: Any) -> Any:
        try:
            response = await self._client.rpc(function, arguments).execute()
        except (APIError, httpx.HTTPError) as error:
            raise StoreUnavailable(f"{function}: {_reason(error)}") from error
        return response.data


def _reason(error: APIError | httpx.HTTPError) -> str:
    """A bounded cause without the request's arguments."""
    text = f"{error.code}: {error.message}" if isinstance(error, APIError) else str(error)
    return f"{type(error).__name__}: {text}"[:300]


def _notification(row: Mapping[str, Any], workflow: NovuWorkflow | None) -> Notification:
    deadline = row["deliver_before"]
    return Notification(
        id=row["id"],
        workflow=workflow,
        recipients=tuple(row["recipients"] or ()),
        payload=row["payload"],
        channels=_channels(row["channels"]),
        overrides={} if row["overrides"] is None else row["overrides"],
        attempts=row["attempts"],
        chunks_sent=row["chunks_sent"],
        deliver_before=datetime.fromisoformat(deadline) if deadline else None,
        expired=row["expired"],
    )


def _workflow(row: Mapping[str, Any]) -> NovuWorkflow:
    overrides = row["template_overrides"]
    references = overrides if isinstance(overrides, dict) else {}
    return NovuWorkflow(
        key=row["workflow_key"],
        type=WorkflowType(row["workflow_type"]),
        default_channels=_channels(row["default_channels"]),
        template_references={
            channel: str(references[name])
            for channel, name in _TEMPLATE_REFERENCE.items()
            if references.get(name) is not None
        },
    )


def _template(row: Mapping[str, Any]) -> Template:
    return Template(
        id=row["id"],
        key=row["template_key"],
        channel=Channel(row["channel_type"]),
        subject=row["subject_template"],
        body=row["body_template"],
    )


def _channels(values: Sequence[str] | None) -> tuple[Channel, ...]:
    return tuple(Channel(value) for value in values or ())


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Sent):
        return {"id": outcome.notification_id, "status": "SENT", "transaction_id": outcome.transaction_id}
    refusal = outcome.refusal
    return {
        "id": outcome.notification_id,
        "status": "FAILED",
        "error_details": {"code": refusal.code, "message": refusal.message, **refusal.details},
    }
