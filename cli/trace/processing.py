"""What Temporal knows of a notification's processing, asked from outside."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from cli import patience
from cli.operator_store import NotificationTrace
from shared.settings import TemporalSettings, temporal_connect_config
from shared.temporal.client import connect_once
from shared.temporal.names import notification_processing_id
from shared.temporal.reason import temporal_reason

CALL_TIMEOUT = timedelta(seconds=patience.ANSWERS_WITHIN_SECONDS)
_LONGEST_FAILURE = 300


@dataclass(frozen=True, slots=True)
class PendingAttempt:
    """An activity that has not ended: whether its attempt runs, why the one before failed, when the next begins."""

    activity: str
    running: bool
    attempt: int
    last_failure: str | None
    next_attempt_at: datetime | None
    worker: str | None


@dataclass(frozen=True, slots=True)
class Processing:
    """The workflow that has, or last had, the row. `status` is Temporal's word for it, in lower case."""

    workflow_id: str
    run_id: str
    status: str
    started_at: datetime | None
    closed_at: datetime | None
    pending: PendingAttempt | None


@dataclass(frozen=True, slots=True)
class TemporalView:
    """One look: the workflow if Temporal (still) knows one, or why it could not be asked."""

    processing: Processing | None = None
    unreachable: str | None = None


async def look(settings: TemporalSettings, row: NotificationTrace) -> TemporalView:
    """Never raises for what Temporal does or does not answer; takes a few seconds at most."""
    if row.enterprise_id is None:
        return TemporalView()
    try:
        client = await connect_once(
            settings.temporal_address, settings.temporal_namespace, temporal_connect_config(), within=CALL_TIMEOUT
        )
        return TemporalView(
            await _describe(client, row.claim_owner or notification_processing_id(row.enterprise_id, [row.id]))
        )
    except (RPCError, RuntimeError) as error:
        return TemporalView(unreachable=f"Temporal at {settings.temporal_address}: {temporal_reason(error)}")


async def _describe(client: Client, workflow_id: str) -> Processing | None:
    try:
        found = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=CALL_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    activities = found.raw_description.pending_activities
    return Processing(
        workflow_id=found.id,
        run_id=found.run_id,
        status=found.status.name.lower() if found.status else "unknown",
        started_at=found.start_time,
        closed_at=found.close_time,
        pending=_attempt(activities[0]) if activities else None,
    )


def _attempt(info: PendingActivityInfo) -> PendingAttempt:
    running = info.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    failure = info.last_failure.message if info.HasField("last_failure") else None
    return PendingAttempt(
        activity=info.activity_type.name,
        running=running,
        attempt=info.attempt,
        last_failure=failure and failure[:_LONGEST_FAILURE],
        next_attempt_at=None if running else _instant(info.next_attempt_schedule_time),
        worker=info.last_worker_identity or None,
    )


def _instant(timestamp: Timestamp) -> datetime | None:
    """None for a field that was left out."""
    return timestamp.ToDatetime(UTC) if timestamp.seconds else None
