"""Novu's answers quote the row: as it is, in other case, encoded, as a field's name. None of it is kept."""

import base64
import html
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.novu.refusal_reason import LONGEST_REASON, NOT_KEPT, reason_of_refused_item, reason_of_refused_request

PERSON = "Zanzibar.Quokka@example.org"

DISGUISES: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.lower,
    str.swapcase,
    lambda text: quote(text, safe=""),
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    lambda text: html.escape(text.replace("@", "&#64;"), quote=True),
    lambda text: "".join(f"&#{ord(character)};" for character in text),
    lambda text: json.dumps(text)[1:-1].replace("@", "\\u0040"),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: text[::-1],
    lambda text: f"mailto:{text}",
    lambda text: text.partition("@")[0],
    lambda text: text.replace(".", "_").replace("@", "_").lower(),
    lambda text: " ".join(text),
]

SHAPES = [
    "{}",
    "{} must be an email",
    "payload.{} should not be empty",
    "property {} should not exist",
    "to.0.{} must be a string",
    "to must contain no more than {} elements",
    "name must be one of the following values: {}",
    "Payload validation failed: {}: must be string; user/{}: must have required property '{}'",
    "Validation Error: {}",
    "subscriber {} is unknown",
    'Unexpected token "{}" is not valid JSON',
    "workflow_not_found {}",
]


def words_of(text: str) -> set[str]:
    """The runs of at least four letters or digits, in lower case."""
    cleaned = "".join(character if character.isalnum() else " " for character in text.casefold())
    return {word for word in cleaned.split() if len(word) >= 4}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_disguise_of_a_value_survives(shape: str) -> None:
    known = (
        words_of(shape.replace("{}", ""))
        | words_of(f"{NOT_KEPT} a status that is not known")
        | {
            *("another", "type", "lacks", "required", "property", "allowed", "http", "code", "form", "error"),
        }
    )
    for disguise in DISGUISES:
        secret = disguise(PERSON)
        text = shape.replace("{}", secret)
        for reason in (
            reason_of_refused_item("error", [text]),
            reason_of_refused_item("error", text),
            reason_of_refused_item(secret, [text]),
            reason_of_refused_request(422, {"message": text, "errors": {secret: {"messages": [text], "value": text}}}),
            reason_of_refused_request(400, {"message": [text], "errors": [{"message": text, "field": secret}]}),
        ):
            assert words_of(reason) <= known, reason
            assert secret not in reason


VOCABULARY = {
    *reason_of_refused_item("?", "?").replace(",", "").replace(":", "").split(),
    *[
        "error",
        "invalid_recipients",
        "no_tenant_found",
        "no_workflow_active_steps_defined",
        "no_workflow_steps_defined",
    ],
    *["subscriber_id_missing", "template_not_found", "trigger_not_active", "workflow_not_found", "HTTP", "422"],
    *[
        "API",
        "rate",
        "limit",
        "exceeded",
        "Bad",
        "Request",
        "Payload",
        "Too",
        "Large",
        "validation",
        "failed",
        "Unprocessable",
        "Entity",
    ],
    *[
        "Validation",
        "Error",
        "request",
        "entity",
        "too",
        "large",
        "should",
        "not",
        "be",
        "empty",
        "exist",
        "is",
        "required",
        "must",
        "be",
        "of",
        "another",
        "type",
    ],
    *[
        "an",
        "email",
        "form",
        "contain",
        "no",
        "more",
        "than",
        "100",
        "elements",
        "has",
        "too",
        "many",
        "few",
        "is",
        "long",
        "short",
        "lacks",
        "a",
        "property",
    ],
    *["not", "allowed"],
}
FIELDS = [
    "actor",
    "attachments",
    "avatar",
    "context",
    "data",
    "email",
    "events",
    "file",
    "firstName",
    "lastName",
    "locale",
    "mime",
    "name",
    "overrides",
    "payload",
    "phone",
    "subscriberId",
    "tenant",
    "timezone",
    "to",
    "topicKey",
    "transactionId",
    "type",
]


def is_ours(word: str) -> bool:
    """Whether a word of a reason is one that we may write: from the vocabulary, or a path of Novu's field names."""
    bare = word.strip(";:,")
    return bare in VOCABULARY or all(
        part in FIELDS or (part.isascii() and part.isdigit() and len(part) <= 3) for part in bare.split(".")
    )


ANYTHING = st.recursive(
    st.text() | st.sampled_from([shape.replace("{}", PERSON) for shape in SHAPES]) | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["message", "messages", "errors", "to"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(status=st.text(), answer=ANYTHING)
@example(status="error", answer={"message": "to.123.payload.4821 must be an email"})
def test_a_reason_is_made_of_our_words_alone_whatever_novu_answers(status: str, answer: Any) -> None:
    error = answer.get("message") if isinstance(answer, dict) else answer
    for reason in (reason_of_refused_item(status, error), reason_of_refused_request(422, answer)):
        assert reason
        assert len(reason) <= LONGEST_REASON
        assert reason.endswith("...") or all(map(is_ours, reason.split())), reason


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        ("trigger_not_active", None, "trigger_not_active"),
        ("error", None, "error"),
        ("error", ["workflow_not_found"], "workflow_not_found"),
        ("error", ["to.3.subscriberId must be a string"], "to.3.subscriberId must be of another type"),
        ("error", ["payload.name should not be empty"], "payload should not be empty"),
        ("error", ["no such person"], f"error: {NOT_KEPT}"),
        ("invalid_recipients", ["no such person"], f"invalid_recipients: {NOT_KEPT}"),
        ("on_strike", None, "a status that is not known"),
    ],
)
def test_what_is_known_of_an_event_s_refusal_is_told(status: str, error: Any, reason: str) -> None:
    assert reason_of_refused_item(status, error) == reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"message": "workflow_not_found"}, "workflow_not_found"),
        ({"message": ["name should not be empty"], "error": "Bad Request"}, "name should not be empty"),
        (
            {"message": "Validation Error", "errors": {"to": {"messages": ["to must contain at least 1 elements"]}}},
            "Validation Error; to has too few elements",
        ),
        (
            {"message": "Payload validation failed: name: must be string"},
            "Payload validation failed; payload must be of another type",
        ),
        ({"message": "Unexpected token"}, "HTTP 422"),
        (["no", "object"], "HTTP 422"),
        (None, "HTTP 422"),
    ],
)
def test_what_is_known_of_a_request_s_refusal_is_told(answer: Any, reason: str) -> None:
    assert reason_of_refused_request(422, answer) == reason
