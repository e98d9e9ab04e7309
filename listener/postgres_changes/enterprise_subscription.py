"""What an enterprise's seat hears: what means work, and nothing that our own bookkeeping writes."""

from listener.postgres_changes.change_event import NOTIFICATION_COLUMNS, NOTIFICATIONS, RULE_COLUMNS, RULES
from listener.postgres_changes.seat import UPDATE, Interest, Subscription


def enterprise_subscription(enterprise_id: str) -> Subscription:
    """Rows to be sent, now or later; rows that were sent and retracted, until they are cancelled; all its rules.

    An enterprise id needs no quoting: it holds neither comma nor parenthesis nor quote, and Realtime splits the
    condition at its first dot only.
    """
    ours = f"enterprise_id=eq.{enterprise_id}"
    return Subscription(
        name=f"notifications-{enterprise_id}",
        interests=[
            Interest(
                NOTIFICATIONS,
                filter=f"{ours},notification_status=eq.PENDING,publish_status=eq.PUBLISH,deactivated=eq.false",
                columns=NOTIFICATION_COLUMNS,
            ),
            Interest(
                NOTIFICATIONS,
                filter=f"{ours},notification_status=eq.RETRACTED,transaction_id=not.is.null,cancellation=is.null",
                columns=NOTIFICATION_COLUMNS,
                events=[UPDATE],
            ),
            Interest(RULES, filter=ours, columns=RULE_COLUMNS),
        ],
    )
