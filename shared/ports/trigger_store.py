"""What somebody who wants a notification sent needs of the tables."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class TriggerableNotification:
    """A row that somebody asks to have sent. `active` and `due` as in docs/database_functions.md, by the database's
    clock; `status` is the row's; not `served`: its enterprise is paused.
    """

    id: int
    enterprise_id: str
    status: str
    active: bool
    due: bool
    scheduled_for: datetime | None
    served: bool = True


@dataclass(frozen=True, slots=True)
class NewNotification:
    """A row to be made and sent, at `scheduled_for` if that is to come. JSON values, NaN and U+0000 excluded."""

    enterprise_id: str
    workflow_key: str
    recipients: tuple[str, ...]
    payload: Mapping[str, Any]
    overrides: Mapping[str, Any] | None = None
    scheduled_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's word for one request; `request_hash` tells whether another request bears the same key."""

    key: str
    request_hash: str


class CreateRefusal(StrEnum):
    """Why no row was made."""

    ENTERPRISE_NOT_SERVED = "enterprise_not_served"
    WORKFLOW_NOT_FOUND = "workflow_not_found"
    INVALID_RECIPIENTS = "invalid_recipients"
    REFUSED_BY_DATABASE = "refused_by_database"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"


@dataclass(frozen=True, slots=True)
class CreatedNotification:
    """The row that was made, by this call or, if `repeated`, by an earlier one under the same key.

    `notification_id` is None after a dry run that would have made it.
    """

    notification_id: int | None
    repeated: bool
    due: bool


class KeyUse(StrEnum):
    """What a key had been used for before: nothing, this request, or another."""

    FIRST = "first"
    REPEATED = "repeated"
    CONFLICT = "conflict"


class TriggerStore(Protocol):
    """What a caller who wants something sent needs of the tables. All methods raise StoreUnavailable."""

    async def find(
        self, enterprise_ids: Collection[str] | None, notification_ids: Collection[int]
    ) -> list[TriggerableNotification]:
        """Those of the rows that exist and belong to one of the enterprises; None: to any."""
        ...

    async def create(
        self,
        notification: NewNotification,
        *,
        idempotency_key: IdempotencyKey | None,
        dry_run: bool,
        started_by_caller: bool = False,
    ) -> CreatedNotification | CreateRefusal:
        """Make the row, published and PENDING, unless the enterprise is paused; once for each key, however many ask at
        once.

        Without a key every call makes a row. A dry run checks everything and makes nothing. `started_by_caller`: the
        caller starts the row if it is due, so that no listener is to hear of it; one that he fails to start is found
        by the next sweep.
        """
        ...

    async def use_key(
        self, enterprise_id: str, idempotency_key: IdempotencyKey, *, notification_id: int, dry_run: bool
    ) -> KeyUse:
        """Note that the key stands for a request about rows that exist, of which `notification_id` is the first.

        A dry run only looks.
        """
        ...
