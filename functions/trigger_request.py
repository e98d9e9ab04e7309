"""What a caller may ask of the trigger function, checked strictly. The OpenAPI document is made from these models."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request

from functions.problems import Problem, ProblemCode
from shared.notification import recipients
from shared.notification.models import LARGEST_ID
from shared.ports import IdempotencyKey
from shared.refused_value import why_refused

MAX_RECIPIENTS = 1000
"""In one call. Larger audiences are for a topic of Novu's, or for a row that an application inserts itself."""

MAX_NOTIFICATION_IDS = 100
"""In one call. One workflow takes at least as many."""

IDEMPOTENCY_KEY_HEADER = "Idempotency-Key"

INSTANT_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
"""RFC 3339. .NET writes seven digits of a second and Go nine; of those beyond microseconds nothing is kept."""

NOT_BLANK_PATTERN = r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""Something besides white space and control characters, spelt out: engines differ about `\\S`."""

_ENTERPRISE_ID_PATTERN = r"^[A-Za-z0-9_.-]{1,64}$"
_FORMS = {
    NOT_BLANK_PATTERN: "must not be blank",
    _ENTERPRISE_ID_PATTERN: "must be 1-64 of letters, digits, '_', '-', '.'",
}

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def _read_instant(value: Any) -> datetime:
    if not isinstance(value, str) or not re.fullmatch(INSTANT_PATTERN, value):
        raise ValueError(
            "must be an instant with its offset, such as 2027-03-01T09:00:00Z or 2027-03-01T09:00:00.5+01:00"
        )
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not an instant on the calendar") from None


def _whole_number(value: Any) -> Any:
    """JSON knows one kind of number: 42.0 is 42."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Id = Annotated[int, Field(ge=1, le=LARGEST_ID), BeforeValidator(_whole_number)]
Recipient = Annotated[
    str,
    # What Novu takes is checked for all recipients together, so that the answer names every place.
    Field(min_length=1, max_length=255, pattern=NOT_BLANK_PATTERN, json_schema_extra={"pattern": recipients.PATTERN}),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_read_instant, json_schema_input_type=str),
    Field(json_schema_extra={"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN}),
]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class TriggerOne(_Strict):
    """Send a row that exists."""

    notification_id: Id
    dry_run: bool = False

    @property
    def ids(self) -> list[int]:
        """The row's id."""
        return [self.notification_id]


class TriggerMany(_Strict):
    """Send rows that exist, all of one enterprise."""

    notification_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_NOTIFICATION_IDS)]
    dry_run: bool = False

    @property
    def ids(self) -> list[int]:
        """The rows' ids, in order, each once."""
        return sorted(set(self.notification_ids))


class CreateAndSend(_Strict):
    """Make a row and send it, at `scheduledFor` if that is to come."""

    enterprise_id: Annotated[str, Field(pattern=_ENTERPRISE_ID_PATTERN)]
    workflow_key: Annotated[str, Field(min_length=1, max_length=255)]
    recipients: Annotated[list[Recipient], Field(min_length=1, max_length=MAX_RECIPIENTS)]
    payload: dict[str, JsonValue]
    overrides: dict[str, JsonValue] | None = None
    scheduled_for: Instant | None = None
    dry_run: bool = False


class StateQuery(_Strict):
    """Whose state is asked for; without `runId` that of the latest run that had any of the rows."""

    workflow_id: Annotated[str, Field(min_length=1, max_length=1000)]
    run_id: Annotated[UUID, Field(strict=False)] | None = None


TriggerRequest = TriggerOne | TriggerMany | CreateAndSend

_DRY_RUN_QUERY = TypeAdapter(bool)


def parse_trigger_request(body: Any) -> TriggerRequest:
    """The request that the body's members name. Raises Problem `invalid_request`."""
    if not isinstance(body, dict):
        raise Problem(ProblemCode.INVALID_REQUEST, "the body must be a JSON object")
    model: type[TriggerRequest] = CreateAndSend
    if "notificationId" in body:
        model = TriggerOne
    elif "notificationIds" in body:
        model = TriggerMany
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise _invalid(error, model) from None


def parse_dry_run(request: Request) -> bool:
    """The query parameter `dryRun`. Raises Problem `invalid_request`."""
    try:
        return _DRY_RUN_QUERY.validate_strings(request.query_params.get("dryRun", "false"))
    except ValidationError:
        raise Problem(ProblemCode.INVALID_REQUEST, "dryRun must be true or false") from None


def parse_state_query(request: Request) -> StateQuery:
    """The query of GET /trigger. Raises Problem `invalid_request`."""
    try:
        return StateQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise _invalid(error, StateQuery) from None


def parse_idempotency_key(request: Request, body: Any) -> IdempotencyKey | None:
    """The caller's key with the body's hash; whether it is a dry run makes no difference to the hash.

    Raises:
        Problem: `invalid_idempotency_key`.
    """
    key = request.headers.get(IDEMPOTENCY_KEY_HEADER)
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Problem(
            ProblemCode.INVALID_IDEMPOTENCY_KEY, "the key must be 1 to 255 printable ASCII characters without spaces"
        )
    asked = {name: value for name, value in body.items() if name != "dryRun"}
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return IdempotencyKey(key, hashlib.sha256(canonical.encode()).hexdigest())


def _invalid(error: ValidationError, model: type[_Strict]) -> Problem:
    """Names the members that are wrong, and never their values. Only the first twenty: lists may be long."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    wrong = [
        {"member": ".".join(map(str, finding["loc"]))[:100], "reason": why_refused(finding, known=known, forms=_FORMS)}
        for finding in error.errors(include_input=False, include_url=False)[:20]
    ]
    return Problem(ProblemCode.INVALID_REQUEST, "the request is not as documented", errors=wrong)
