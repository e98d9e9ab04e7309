"""The rows of schema `notify` as the road from row to recipient sees them (facts: docs/database.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.notification.outcomes import Failed
from shared.notification.recipient import KnownRecipients

LARGEST_ID = 2**63 - 1
"""Of a row: PostgreSQL's bigint."""


class Channel(StrEnum):
    """A Novu channel; the values are those of the enum `notification_channel_type`."""

    IN_APP = "IN_APP"
    EMAIL = "EMAIL"
    SMS = "SMS"
    CHAT = "CHAT"
    PUSH = "PUSH"


class WorkflowType(StrEnum):
    """STATIC passes the payload through to Novu; DYNAMIC renders our templates and passes the result."""

    STATIC = "STATIC"
    DYNAMIC = "DYNAMIC"


@dataclass(frozen=True, slots=True)
class Template:
    """One active template of the enterprise.

    `subject` and `body` are Liquid sources; `key` is what `xnovu_render` includes it by. `channel` is a Channel's
    value, or the name of one that the database knows and this release does not.
    """

    id: int
    key: str
    channel: str
    subject: str | None
    body: str


@dataclass(frozen=True, slots=True)
class NovuWorkflow:
    """The enterprise's active workflow configuration: which Novu workflow to trigger, and with what.

    `template_references` gives, per channel, the template's id or key as the row names it. `novu_channels` are those
    that `xnovu novu apply` last gave it at Novu; None where it did not. `payload_schema` is the text of a JSON Schema.
    """

    key: str
    type: WorkflowType
    default_channels: tuple[Channel, ...] = ()
    template_references: Mapping[Channel, str] = field(default_factory=dict)
    novu_channels: frozenset[Channel] | None = None
    payload_schema: str | None = None


@dataclass(frozen=True, slots=True)
class SecondTry:
    """Whom a row that Novu has had is sent to again, because it definitely failed for them.

    `number` counts from 1. `parts` are recipients by channel; None stands for all of the row's channels. `first_chunk`
    is how many chunks all tries before it had: its own are counted on from there.
    """

    number: int
    first_chunk: int
    parts: tuple[tuple[Channel | None, Sequence[str]], ...]


@dataclass(frozen=True, slots=True)
class Notification:
    """A claimed row with all that its delivery needs.

    `workflow` is None when the row names none, or none that is active and of its own enterprise.
    `transaction_base` is the transaction id of its first chunk.
    `chunks_sent` counts the leading recipient chunks that Novu has already accepted.
    `expired` says that `deliver_before` had passed, by the database's clock, when the row was claimed.
    `chunks_beyond` have been accepted too, after one that has not. `doubt_seconds` is how long ago a call was left
    unanswered, None where there is none; `doubtful_repeats` how often it was sent again all the same.
    `second_try`: it was sent before, and is now for these alone.
    """

    id: int
    workflow: NovuWorkflow | None
    recipients: Sequence[str]
    payload: Mapping[str, Any]
    transaction_base: str
    channels: tuple[Channel, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 1
    chunks_sent: int = 0
    expired: bool = False
    chunks_beyond: frozenset[int] = frozenset()
    doubt_seconds: float | None = None
    doubtful_repeats: int = 0
    idempotency_round: int = 0
    second_try: SecondTry | None = None


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """What one claim won: the rows, and every template they can reach, by template key.

    `unreadable` are claimed too, with the reason why they cannot be delivered, to be recorded as any outcome.
    `refused` could not be claimed, because the database refuses their UPDATE: they are FAILED already, or rest.
    `deferred` could have been claimed too, but would have made the answer too heavy: claim them next.
    `templates_withheld`: so would all the templates, and some are left out. Claim the rows that lack one by one.
    `recipients` is what is known of them; None: they are too many to come along, ask for those of each round.
    """

    notifications: tuple[Notification, ...]
    templates: Mapping[str, Template] = field(default_factory=dict)
    deferred: tuple[int, ...] = ()
    unreadable: tuple[Failed, ...] = ()
    refused: tuple[Failed, ...] = ()
    templates_withheld: bool = False
    recipients: KnownRecipients | None = field(default_factory=KnownRecipients)
