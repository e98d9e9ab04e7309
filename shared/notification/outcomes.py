"""How one notification's delivery ended, as it is written to its row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class RefusalCode(StrEnum):
    """Why a notification is FAILED for good; each has its line in docs/error_codes.md."""

    EXPIRED = "expired"
    ROW_UNREADABLE = "row_unreadable"
    INVALID_RECIPIENTS = "invalid_recipients"
    WORKFLOW_NOT_FOUND = "workflow_not_found"
    CHANNEL_NOT_IN_NOVU = "channel_not_in_novu"
    TEMPLATE_NOT_FOUND = "template_not_found"
    TEMPLATE_INVALID = "template_invalid"
    TEMPLATE_UNDEFINED_VARIABLE = "template_undefined_variable"
    TEMPLATE_WRONG_CHANNEL = "template_wrong_channel"
    TEMPLATE_INCLUDE_CYCLE = "template_include_cycle"
    TEMPLATE_LIMIT_EXCEEDED = "template_limit_exceeded"
    PAYLOAD_INVALID = "payload_invalid"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    PAYLOAD_SCHEMA_INVALID = "payload_schema_invalid"
    NOVU_REFUSED = "novu_refused"
    DELIVERY_TIMED_OUT = "delivery_timed_out"
    INTERNAL_ERROR = "internal_error"
    CLAIM_REFUSED = "claim_refused"
    OUTCOME_REFUSED = "outcome_refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision not to send, with its reason.

    `message` is for a person and never quotes payload, recipients or rendered text; `details` are flat facts
    such as template key, line and variable name.
    """

    code: RefusalCode
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """Novu accepted every recipient chunk under `transaction_id`."""

    notification_id: int
    transaction_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The notification will not be sent."""

    notification_id: int
    refusal: Refusal


Outcome = Sent | Failed
