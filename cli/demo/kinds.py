"""The kinds of rows the demo sends, and how each must end."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Kind:
    """One line of the demo's table.

    `status` is where every row of the kind must end, `error_code` what a FAILED one must say, and `calls_per_row`
    how many events Novu must have been sent for each. `sent` and `no_address` are how many messages per channel people
    must get, or miss for want of an address, of each row.
    """

    name: str
    status: str
    calls_per_row: int
    error_code: str | None = None
    sent: Mapping[str, int] = field(default_factory=dict)
    no_address: Mapping[str, int] = field(default_factory=dict)


_IN_APP = {"in_app": 1}
_EACH_CHANNEL = {"email": 1, "in_app": 1, "sms": 1, "push": 1, "chat": 1}

BEFORE_THE_START = Kind("waiting before the start", "SENT", 1, sent=_IN_APP)
STATIC = Kind("static", "SENT", 1, sent=_IN_APP)
DYNAMIC = Kind("dynamic, five channels", "SENT", 1, sent=_EACH_CHANNEL)
ONE_CHANNEL = Kind("dynamic, email only", "SENT", 1, sent={"email": 1})
NO_PHONE = Kind("to one without a phone", "SENT", 1, sent={"email": 1}, no_address={"sms": 1})
FAN_OUT = Kind("250 recipients", "SENT", 3, sent={"in_app": 250})
BROKEN_TEMPLATE = Kind("broken template", "FAILED", 0, "template_invalid")
UNDEFINED_VARIABLE = Kind("undefined variable", "FAILED", 0, "template_undefined_variable")
SCHEDULED = Kind("scheduled 5 s ahead", "SENT", 1, sent=_IN_APP)
RULE = Kind("rule, every 5 s", "SENT", 1, sent=_IN_APP)
PUBLISHED_LATER = Kind("draft, published later", "SENT", 1, sent=_IN_APP)
RETRACTED = Kind("retracted in time", "RETRACTED", 0)
NOT_CONFIGURED = Kind("not our enterprise", "PENDING", 0)
WEBSOCKET_CUT = Kind("after a websocket cut", "SENT", 1, sent=_IN_APP)

KINDS = (
    BEFORE_THE_START,
    STATIC,
    DYNAMIC,
    ONE_CHANNEL,
    NO_PHONE,
    FAN_OUT,
    BROKEN_TEMPLATE,
    UNDEFINED_VARIABLE,
    SCHEDULED,
    RULE,
    PUBLISHED_LATER,
    RETRACTED,
    NOT_CONFIGURED,
    WEBSOCKET_CUT,
)


@dataclass(frozen=True, slots=True)
class SentRow:
    """A row the demo wrote: when it became due, in Unix seconds just before its transaction."""

    notification_id: int
    enterprise_id: str
    kind: Kind
    due_at: float


@dataclass(slots=True)
class Ledger:
    """Every row the demo wrote."""

    rows: list[SentRow] = field(default_factory=list)

    def add(self, kind: Kind, enterprise_id: str, notification_ids: list[int], due_at: float) -> None:
        """Note rows of one kind that became due together."""
        self.rows += [SentRow(number, enterprise_id, kind, due_at) for number in notification_ids]
