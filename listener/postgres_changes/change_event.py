"""Reads one `postgres_changes` event. Only the columns that route are subscribed to; a payload never comes this way."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from shared.ports import ChangeType, RowChange

ROUTING_COLUMNS = ["id", "enterprise_id", "notification_status", "publish_status", "deactivated", "scheduled_for"]


class MalformedChange(Exception):
    """An event that cannot be routed; `may_hide_work` says whether the table should be read instead."""

    def __init__(self, reason: str, *, may_hide_work: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_hide_work = may_hide_work


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: StrictInt = Field(gt=0)
    enterprise_id: StrictStr | None
    notification_status: StrictStr
    publish_status: StrictStr
    deactivated: StrictBool
    scheduled_for: AwareDatetime | Literal["infinity", "-infinity"] | None

    def is_due(self, now: datetime) -> bool:
        """Whether the row is to be sent now, as far as the event tells; the claim has the last word."""
        if isinstance(self.scheduled_for, datetime):
            in_time = self.scheduled_for <= now
        else:
            in_time = self.scheduled_for != "infinity"
        active = self.publish_status == "PUBLISH" and not self.deactivated
        return active and self.notification_status == "PENDING" and in_time


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Literal["INSERT", "UPDATE"]
    errors: Any = None
    commit_timestamp: AwareDatetime | None = None
    record: _Record


def read_change(data: Mapping[str, Any], enterprise_id: str, now: datetime) -> RowChange | None:
    """The change that an event on this enterprise's seat tells of; None if it means no work yet.

    Raises:
        MalformedChange: the server sent an error instead of the row, parts are absent or of another type, or the
            row is not this enterprise's.
    """
    if data.get("errors"):
        raise MalformedChange(f"the server says {str(data['errors'])[:100]}", may_hide_work=True)
    try:
        event = _Data.model_validate(data)
    except ValidationError as error:
        raise MalformedChange(_describe(error), may_hide_work=True) from None
    record = event.record
    if record.enterprise_id is None:
        raise MalformedChange("the row belongs to no enterprise", may_hide_work=False)
    if record.enterprise_id != enterprise_id:
        raise MalformedChange("the row belongs to another enterprise", may_hide_work=False)
    if not record.is_due(now):
        return None
    return RowChange(enterprise_id, record.id, ChangeType(event.type), event.commit_timestamp)


def _describe(error: ValidationError) -> str:
    """Where it is wrong and how, without the values."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['type']}" for problem in problems)[:200]
