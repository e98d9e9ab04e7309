"""What operators ask of the table: each method is one call of an SQL function (docs/database_functions.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.supabase.decoding import read_instant
from shared.supabase.sql_function import call_function


@dataclass(frozen=True, slots=True)
class NotificationTrace:
    """Everything that one row says of its delivery, and nothing of what is delivered or to whom.

    `now` is the database's clock. `transaction_base` is the id under which a claim last meant to send it,
    `in_doubt_since` when Novu left a call unanswered.

    `workflow_key` is None if the row names no workflow; `workflow_usable` says that it
    is active and of the same enterprise.
    """

    now: datetime
    id: int
    enterprise_id: str | None
    status: str
    publish_status: str
    deactivated: bool
    created_at: datetime
    updated_at: datetime
    processed_at: datetime | None
    scheduled_for: datetime | None
    deliver_before: datetime | None
    retracted_at: datetime | None
    lease_expires_at: datetime | None
    claim_owner: str | None
    attempts: int
    chunks_sent: int
    transaction_id: str | None
    transaction_base: str | None
    in_doubt_since: datetime | None
    doubtful_repeats: int
    recipient_count: int
    error_details: Mapping[str, Any]
    delivery: Mapping[str, Any] | None
    cancellation: Mapping[str, Any] | None
    rule_id: int | None
    workflow_key: str | None
    workflow_usable: bool

    @property
    def is_active(self) -> bool:
        """Whether it may be sent at all."""
        return self.publish_status == "PUBLISH" and not self.deactivated


@dataclass(frozen=True, slots=True)
class EndedNotification:
    """How a notification ended, and when; `code` is a refusal's."""

    id: int
    enterprise_id: str | None
    status: str
    code: str | None
    attempts: int
    transaction_id: str | None
    at: datetime
    delivery: str | None = None


@dataclass(frozen=True, slots=True)
class SettledDelivery:
    """What became of a notification at Novu (docs/delivery.md), and when that was known."""

    id: int
    enterprise_id: str
    state: str
    cause: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SettledPage:
    """The first so many that settled after an instant, in that order, and the database's clock."""

    now: datetime
    settled: tuple[SettledDelivery, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class EndedPage:
    """The first so many that ended at an instant or later, in that order, and the database's clock."""

    now: datetime
    ended: tuple[EndedNotification, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ReplayedCode:
    """FAILED rows of one code: all that match, those chosen, and why others were left out."""

    code: str
    failed: int
    chosen: int
    may_have_reached_novu: int
    inactive: int
    past_deliver_before: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What was chosen and, unless it was a dry run, set back to PENDING."""

    dry_run: bool
    codes: tuple[ReplayedCode, ...]
    notification_ids: tuple[int, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    """Those chosen whose UPDATE the database refuses, by id, with its SQLSTATE: they stay FAILED."""


@dataclass(frozen=True, slots=True)
class TriedChannel:
    """How many are sent again in a channel, or in `ALL` of theirs, and to how many people."""

    channel: str
    rows: int
    people: int


@dataclass(frozen=True, slots=True)
class UndeliveredReplay:
    """What was chosen and, unless it was a dry run, is tried again; `left_out` counts rows by why they were not."""

    dry_run: bool
    messages: tuple[TriedChannel, ...]
    left_out: Mapping[str, int]
    notification_ids: tuple[int, ...]


class OperatorStore:
    """Every method raises StoreUnavailable."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def id_of(self, delivery_key: str) -> int | None:
        """Of the row that has this key; None if none has."""
        found: int | None = await call_function(self._client, "notification_of_key", p_delivery_key=delivery_key)
        return found

    async def trace(self, notification_id: int) -> NotificationTrace | None:
        """The row's account; None if there is no such row."""
        row = await call_function(self._client, "trace_notification", p_notification_id=notification_id)
        if row is None:
            return None
        instants = (
            *("now", "created_at", "updated_at", "processed_at", "scheduled_for", "deliver_before"),
            *("retracted_at", "lease_expires_at", "in_doubt_since"),
        )
        workflow = row.pop("workflow") or {}
        return NotificationTrace(
            **{
                **row,
                **{name: read_instant(row[name]) for name in instants},
                "error_details": row["error_details"] if isinstance(row["error_details"], dict) else {},
                "workflow_key": workflow.get("key"),
                "workflow_usable": bool(workflow.get("active") and workflow.get("same_enterprise")),
            }
        )

    async def ended(
        self, since: datetime | None, enterprise_id: str | None, *, limit: int, after_id: int = 0
    ) -> EndedPage:
        """Notifications that ended after `since` or, with ids above `after_id`, at it; None is now, by the database's
        clock.
        """
        answer = await call_function(
            self._client,
            "ended_notifications",
            p_since=since and since.isoformat(),
            p_after_id=after_id,
            p_enterprise_id=enterprise_id,
            p_limit=limit,
        )
        return EndedPage(
            now=datetime.fromisoformat(answer["now"]),
            ended=tuple(
                EndedNotification(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in answer["ended"]
            ),
            has_more=answer["has_more"],
        )

    async def settled(
        self, since: datetime | None, enterprise_id: str | None, *, limit: int, after_id: int = 0
    ) -> SettledPage:
        """Deliveries that settled after `since`, as `ended`."""
        answer = await call_function(
            self._client,
            "settled_deliveries",
            p_since=since and since.isoformat(),
            p_after_id=after_id,
            p_enterprise_id=enterprise_id,
            p_limit=limit,
        )
        return SettledPage(
            now=datetime.fromisoformat(answer["now"]),
            settled=tuple(
                SettledDelivery(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in answer["settled"]
            ),
            has_more=answer["has_more"],
        )

    async def replay(
        self, enterprise_id: str, *, since: datetime | None, code: str | None, limit: int, dry_run: bool
    ) -> Replay:
        """Choose the first `limit` FAILED rows that would be sent, and set them to PENDING if it is no dry run."""
        answer = await call_function(
            self._client,
            "replay_notifications",
            p_enterprise_id=enterprise_id,
            p_since=since and since.isoformat(),
            p_code=code,
            p_limit=limit,
            p_dry_run=dry_run,
        )
        return Replay(
            dry_run=answer["dry_run"],
            codes=tuple(ReplayedCode(**row) for row in answer["codes"]),
            notification_ids=tuple(answer["notification_ids"]),
            refused=answer.get("refused", {}),
        )

    async def replay_undelivered(
        self, enterprise_id: str, *, since: datetime | None, cause: str | None, limit: int, dry_run: bool
    ) -> UndeliveredReplay:
        """Choose the first `limit` SENT rows that definitely failed for somebody, and try those again if it is no dry
        run.
        """
        answer = await call_function(
            self._client,
            "replay_undelivered",
            p_enterprise_id=enterprise_id,
            p_since=since and since.isoformat(),
            p_causes=None if cause is None else [cause],
            p_limit=limit,
            p_dry_run=dry_run,
        )
        return UndeliveredReplay(
            dry_run=answer["dry_run"],
            messages=tuple(TriedChannel(**row) for row in answer["messages"]),
            left_out=answer["left_out"],
            notification_ids=tuple(answer["notification_ids"]),
        )
