"""The audit log: who asked for what, and how it was answered. Never payload, recipients or keys."""

import logging
from dataclasses import dataclass, field

log = logging.getLogger("FunctionsAudit")


@dataclass(slots=True)
class AuditEntry:
    """One call of the trigger function, filled in as more of it becomes known."""

    method: str
    caller: str | None = None
    action: str | None = None
    enterprise_id: str | None = None
    notification_ids: list[int] = field(default_factory=list)
    workflow_id: str | None = None
    has_idempotency_key: bool = False
    repeated: bool = False
    dry_run: bool = False

    def write(self, status: int, outcome: str) -> None:
        """Write the line; `outcome` is "answered", "not_answered", or the problem's code."""
        log.info(
            "trigger_called",
            extra={
                "method": self.method,
                "caller": self.caller,
                "action": self.action,
                "enterprise_id": self.enterprise_id,
                "notification_ids": self.notification_ids,
                "workflow_id": self.workflow_id,
                "has_idempotency_key": self.has_idempotency_key,
                "repeated": self.repeated,
                "dry_run": self.dry_run,
                "status": status,
                "outcome": outcome,
            },
        )
