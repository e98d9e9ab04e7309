"""Every Temporal id, built from row ids so that a second start of the same work is harmless."""

import hashlib
from collections.abc import Sequence

NOTIFICATION_PROCESSING_WORKFLOW = "NotificationProcessingWorkflow"


def notification_processing_id(enterprise_id: str, notification_ids: Sequence[int]) -> str:
    """The workflow id of one notification's processing, or of a batch's.

    A batch is named by its first and last id and a digest of all of them, whatever their order.

    >>> notification_processing_id("ent1", [42])
    'notification-processing/ent1/42'
    """
    if len(notification_ids) == 1:
        return f"notification-processing/{enterprise_id}/{notification_ids[0]}"
    ordered = sorted(notification_ids)
    digest = hashlib.sha256(",".join(map(str, ordered)).encode()).hexdigest()[:16]
    return f"notification-processing/{enterprise_id}/{ordered[0]}-{ordered[-1]}-{digest}"
