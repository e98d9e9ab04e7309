"""Why Novu refused, in words that are all ours: reasons are stored and logged, and Novu's answers quote the row. Pure.

Nothing of Novu's text is copied. What is known of it, its codes, its field names and the sentences of its validators,
is recognised, and told by our own spelling; everything else is dropped, because there is no telling a value, in
whatever disguise, from a word (docs/decisions/0040-novu-s-words-are-recognised-not-copied.md).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_REASON = 200
"""Characters."""

NOT_KEPT = "in words that are not kept, because they may quote the row"

_CODES = frozenset(
    {
        *("error", "invalid_recipients", "no_tenant_found", "no_workflow_active_steps_defined"),
        *("no_workflow_steps_defined", "subscriber_id_missing", "template_not_found", "trigger_not_active"),
        "workflow_not_found",
    }
)
"""Novu's statuses of an event, and errors that are codes."""

_PAYLOAD_INVALID = "Payload validation failed"

_SENTENCES = {
    sentence.casefold(): sentence
    for sentence in (
        *("API rate limit exceeded", "Bad Request", "Payload Too Large", _PAYLOAD_INVALID),
        *("Unprocessable Entity", "Validation Error", "request entity too large"),
    )
}

_COMPLAINTS = tuple(
    (re.compile(rf"(?:property )?(?P<path>\S{{0,100}}?):? ?(?:{pattern})", re.IGNORECASE), told)
    for pattern, told in (
        (r"should not be empty", "should not be empty"),
        (r"should not exist", "should not exist"),
        (r"(should not be null or undefined|must be defined|is required)", "is required"),
        (r"must be an? (array|boolean|number|object|string)( value)?", r"must be of another type"),
        (r"must be (array|boolean|integer|null|number|object|string)", "must be of another type"),
        (r"must be an email", "must be an email"),
        (r"must be a valid (ISO 8601 date string|url|uuid)", "must be of another form"),
        (r'must match (format|pattern) ".*"', "must be of another form"),
        (r"must contain no more than 100 elements", "must contain no more than 100 elements"),
        (r"must contain (no more|not more) than \d+ elements", "has too many elements"),
        (r"must contain at least \d+ elements", "has too few elements"),
        (r"must be shorter than or equal to \d+ characters", "is too long"),
        (r"must be longer than or equal to \d+ characters", "is too short"),
        (r"must be equal to one of the allowed values|must be one of the following values: .*", "is not allowed"),
        (r"must have required property .*", "lacks a required property"),
        (r"must NOT have additional properties", "has a property too many"),
    )
)
"""What Novu's validators (class-validator, ajv) say behind a field's name, and what is told of it."""

_FIELDS = frozenset(
    {
        *("actor", "attachments", "avatar", "context", "data", "email", "events", "file", "firstName", "lastName"),
        *("locale", "mime", "name", "overrides", "payload", "phone", "subscriberId", "tenant", "timezone", "to"),
        *("topicKey", "transactionId", "type"),
    }
)
"""Novu's own names, which a path may consist of; numbers of up to three digits are places in a list."""


def reason_of_refused_request(status: int, answer: Any) -> str:
    """Why Novu answered a request with 400, 413 or 422: what is known of its `message` and `errors`."""
    if not isinstance(answer, Mapping):
        return f"HTTP {status}"
    return _told([*_texts(answer.get("message")), *_error_messages(answer.get("errors"))]) or f"HTTP {status}"


def reason_of_refused_item(status: str, error: Any) -> str:
    """Why Novu took the request but will not process this event: its status, or what is known of its error."""
    known = status if status in _CODES else "a status that is not known"
    texts = _texts(error)
    why = _told(texts) or (NOT_KEPT if texts else "")
    if status == "error" and why and why != NOT_KEPT:
        return why
    return f"{known}: {why}" if why else known


def _told(texts: list[str]) -> str:
    """What is known of these texts, each once; nothing if nothing is."""
    told = dict.fromkeys(part for text in texts for part in _recognised(text))
    joined = "; ".join(told)
    return joined if len(joined) <= LONGEST_REASON else joined[: LONGEST_REASON - 3] + "..."


def _recognised(text: str) -> Iterator[str]:
    """Novu strings complaints together with semicolons, behind a sentence and a colon."""
    if text in _CODES:
        yield text
        return
    sentence, colon, rest = text.partition(": ")
    known = _SENTENCES.get(sentence.casefold())
    if known is not None:
        yield known
    for complaint in (rest if known is not None and colon else text).split("; "):
        yield from _complaint(complaint, in_payload=known == _PAYLOAD_INVALID)


def _complaint(text: str, *, in_payload: bool) -> Iterator[str]:
    for pattern, told in _COMPLAINTS:
        if found := pattern.fullmatch(text):
            path = "payload" if in_payload else _path(found["path"])
            yield f"{path} {told}" if path else told
            return


def _path(text: str) -> str:
    """As much of a field's path as is Novu's own; members of a payload are the row's."""
    known = []
    for part in text.split("."):
        if part not in _FIELDS and not re.fullmatch(r"[0-9]{1,3}", part, re.ASCII):
            break
        known.append(part)
        if part in ("payload", "data", "overrides"):
            break
    return ".".join(known)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]


def _error_messages(errors: Any) -> Iterator[str]:
    """The messages of both shapes: a mapping of field to messages, and a list of objects with a message each."""
    if isinstance(errors, Mapping):
        for details in errors.values():
            if isinstance(details, Mapping):
                yield from _texts(details.get("messages"))
    elif isinstance(errors, list):
        for details in errors:
            if isinstance(details, Mapping):
                yield from _texts(details.get("message"))
