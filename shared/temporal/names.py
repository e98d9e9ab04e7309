"""Every Temporal name: workflow types, signals, and ids built from row ids, so that a second start is harmless."""

import hashlib
import re
from collections.abc import Sequence

NOTIFICATION_PROCESSING_WORKFLOW = "NotificationProcessingWorkflow"
NOTIFICATION_RETRACTION_WORKFLOW = "NotificationRetractionWorkflow"
MASTER_ORCHESTRATION_WORKFLOW = "MasterOrchestrationWorkflow"
CRON_SCHEDULING_WORKFLOW = "CronSchedulingWorkflow"
SCHEDULED_NOTIFICATION_WORKFLOW = "ScheduledNotificationWorkflow"

MASTER_ORCHESTRATION_ID = "master-orchestration"

ADD_ENTERPRISES_SIGNAL = "add_enterprises"
REMOVE_ENTERPRISES_SIGNAL = "remove_enterprises"
STOP_SIGNAL = "stop"
RULES_CHANGED_SIGNAL = "rules_changed"
DUE_AT_SIGNAL = "due_at"


def notification_processing_id(enterprise_id: str, notification_ids: Sequence[int]) -> str:
    """The workflow id of one notification's processing, or of a batch's.

    >>> notification_processing_id("ent1", [42])
    'notification-processing/ent1/42'
    """
    return f"notification-processing/{enterprise_id}/{_work(notification_ids)}"


def shared_processing_id(notification_ids: Sequence[int]) -> str:
    """The workflow id of a batch that several enterprises share. No enterprise's id is empty."""
    return f"notification-processing//{_work(notification_ids)}"


def notification_retraction_id(enterprise_id: str, notification_ids: Sequence[int]) -> str:
    """The workflow id that asks Novu to cancel what was sent and then retracted."""
    return f"notification-retraction/{enterprise_id}/{_work(notification_ids)}"


def cron_scheduling_id(enterprise_id: str) -> str:
    """The workflow id of the enterprise's cron rules; there is never a second."""
    return f"cron-scheduling/{enterprise_id}"


def scheduled_notification_id(enterprise_id: str) -> str:
    """The workflow id of the enterprise's scheduled rows; there is never a second."""
    return f"scheduled-notification/{enterprise_id}"


def build_id(build: str) -> str:
    """Temporal's name of a build: of an image the first twelve digits of its digest, of a label itself.

    Raises ValueError for what Temporal's names of versions cannot hold.

    >>> build_id("sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0")
    '0f1e2d3c4b5a'
    """
    if digest := re.search(r"(?:^|@)sha256:([0-9a-f]{64})$", build):
        return digest[1][:12]
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", build):
        raise ValueError("must be an image's digest (sha256:...), or 1-64 of letters, digits, '_', '-', '.'")
    return build


def _work(notification_ids: Sequence[int]) -> str:
    """One id as it is; several by the first, the last and a digest of all, whatever their order."""
    if len(notification_ids) == 1:
        return str(notification_ids[0])
    ordered = sorted(notification_ids)
    digest = hashlib.sha256(",".join(map(str, ordered)).encode()).hexdigest()[:16]
    return f"{ordered[0]}-{ordered[-1]}-{digest}"
