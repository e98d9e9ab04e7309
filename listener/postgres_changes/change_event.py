"""Reads one `postgres_changes` event. Only the columns that route are subscribed to; a payload never comes this way."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
)

from shared.notification.priority import read_priority
from shared.ports import ChangeType, RowChange, RowRetracted, RowScheduled, RuleChanged

NOTIFICATIONS = "ent_notification"
NOTIFICATION_COLUMNS = (
    "id",
    "enterprise_id",
    "notification_status",
    "publish_status",
    "deactivated",
    "scheduled_for",
    "transaction_id",
    "delivery_priority",
)
RULES = "ent_notification_rule"
RULE_COLUMNS = ("id", "enterprise_id")

Change = RowChange | RowScheduled | RowRetracted | RuleChanged

_COMMIT_TIME_PRECISION = timedelta(milliseconds=1)


class MalformedChange(Exception):
    """An event that cannot be routed; `may_hide_work` says whether the table should be read instead."""

    def __init__(self, reason: str, *, may_hide_work: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_hide_work = may_hide_work


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Row(_Model):
    id: StrictInt = Field(gt=0)
    enterprise_id: StrictStr | None


class _Notification(_Row):
    notification_status: StrictStr
    publish_status: StrictStr
    deactivated: StrictBool
    scheduled_for: AwareDatetime | Literal["infinity", "-infinity"] | None
    transaction_id: StrictStr | None
    delivery_priority: StrictInt | None = None

    def is_to_be_sent(self) -> bool:
        """Now or later, as far as the event tells; the claim has the last word."""
        return self.notification_status == "PENDING" and self.publish_status == "PUBLISH" and not self.deactivated

    def was_sent_and_retracted(self) -> bool:
        return self.notification_status == "RETRACTED" and self.transaction_id is not None


class _Event(_Model):
    type: Literal["INSERT", "UPDATE"]
    errors: Any = None
    commit_timestamp: AwareDatetime | None = None


class _NotificationEvent(_Event):
    table: Literal["ent_notification"]
    record: _Notification

    def seen_at(self, now: datetime) -> datetime:
        """When the row was as the event tells, by the database's clock: what was not due then is the scheduler's."""
        return now if self.commit_timestamp is None else self.commit_timestamp + _COMMIT_TIME_PRECISION


class _RuleEvent(_Event):
    table: Literal["ent_notification_rule"]
    record: _Row


_EVENT: TypeAdapter[_NotificationEvent | _RuleEvent] = TypeAdapter(
    Annotated[_NotificationEvent | _RuleEvent, Field(discriminator="table")]
)


def read_change(data: Mapping[str, Any], enterprise_id: str, now: datetime) -> Change | None:
    """The change that an event on this enterprise's seat tells of; None if it means nothing to do.

    Raises:
        MalformedChange: the server sent an error instead of the row, parts are absent or of another type, or the
            row is not this enterprise's.
    """
    if data.get("errors"):
        raise MalformedChange(f"the server says {str(data['errors'])[:100]}", may_hide_work=True)
    try:
        event = _EVENT.validate_python(data)
    except ValidationError as error:
        raise MalformedChange(_describe(error), may_hide_work=True) from None
    if event.record.enterprise_id is None:
        raise MalformedChange("the row belongs to no enterprise", may_hide_work=False)
    if event.record.enterprise_id != enterprise_id:
        raise MalformedChange("the row belongs to another enterprise", may_hide_work=False)
    if isinstance(event, _RuleEvent):
        return RuleChanged(enterprise_id)
    return _read_notification(event, enterprise_id, now)


def _read_notification(event: _NotificationEvent, enterprise_id: str, now: datetime) -> Change | None:
    record = event.record
    if record.was_sent_and_retracted():
        return RowRetracted(enterprise_id, record.id)
    if not record.is_to_be_sent():
        return None
    # One scheduled for an infinity is handed on at once: its claim ends it, and says why.
    if isinstance(record.scheduled_for, datetime) and record.scheduled_for > event.seen_at(now):
        return RowScheduled(enterprise_id, record.scheduled_for)
    priority = read_priority(record.delivery_priority)
    return RowChange(enterprise_id, record.id, ChangeType(event.type), event.commit_timestamp, priority)


def _describe(error: ValidationError) -> str:
    """Where it is wrong and how, without the values."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['type']}" for problem in problems)[:200]
