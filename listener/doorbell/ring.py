"""Reads one ring: which rows of which enterprises a statement made work of. A payload never comes this way."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from shared.notification.priority import read_priority
from shared.ports import ChangeType, FeedLate, RowChange, RowRetracted, RowScheduled, RuleChanged

Change = RowChange | RowScheduled | RowRetracted | RuleChanged


@dataclass(frozen=True, slots=True)
class HeardOf:
    """These are rung for, and not known to be served; `changed`: whether somebody is served has changed."""

    enterprise_ids: frozenset[str]
    changed: bool


class MalformedRing(Exception):
    """Something that came as a ring and is none: whatever it was to tell of has to be read in the tables."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Entry(_Model):
    """What a statement did to one enterprise. `due` has ids by priority; `more`: there were too many to name. `served`:
    it is to be, or not any more.
    """

    enterprise_id: StrictStr
    due: tuple[tuple[StrictInt, tuple[StrictInt, ...]], ...] = ()
    scheduled_for: AwareDatetime | None = None
    retracted: tuple[StrictInt, ...] = ()
    rules: StrictBool = False
    served: StrictBool | None = None
    more: StrictBool = False


class _Ring(_Model):
    """`at` is the database's clock when it rang; `more`: there were too many enterprises to name."""

    op: Literal["INSERT", "UPDATE"]
    at: AwareDatetime
    entries: tuple[_Entry, ...] = Field(alias="of")
    more: StrictBool = False


def read_ring(
    ring: Any, enterprise_ids: Set[str], *, committed_at: datetime | None = None
) -> Iterator[Change | FeedLate | HeardOf]:
    """What a ring tells of these enterprises; of others only who they are. FeedLate names those of whom the tables tell
    more. Without `committed_at` the time of the ring stands for it.

    Raises:
        MalformedRing: it is not as the triggers write them.
    """
    try:
        read = _Ring.model_validate(ring)
    except ValidationError as error:
        raise MalformedRing(_describe(error)) from None
    change = ChangeType(read.op)
    for entry in read.entries:
        if entry.enterprise_id in enterprise_ids:
            yield from _changes(entry, change, committed_at or read.at)
    strangers = frozenset(each.enterprise_id for each in read.entries if each.enterprise_id not in enterprise_ids)
    changed = read.more or any(entry.served is not None for entry in read.entries)
    if strangers or changed:
        yield HeardOf(strangers, changed)
    if read.more:
        yield FeedLate(frozenset(enterprise_ids))


def _changes(entry: _Entry, change: ChangeType, committed_at: datetime) -> Iterator[Change | FeedLate]:
    enterprise_id = entry.enterprise_id
    for priority, notification_ids in entry.due:
        for notification_id in notification_ids:
            yield RowChange(enterprise_id, notification_id, change, committed_at, read_priority(priority))
    for notification_id in entry.retracted:
        yield RowRetracted(enterprise_id, notification_id)
    if entry.scheduled_for is not None:
        yield RowScheduled(enterprise_id, entry.scheduled_for)
    if entry.rules:
        yield RuleChanged(enterprise_id)
    if entry.more:
        yield FeedLate(frozenset({enterprise_id}))


def _describe(error: ValidationError) -> str:
    """Where it is wrong and how, without the values."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['type']}" for problem in problems)[:200]
