"""A payload is held to its workflow's schema: paths and keywords are told, values and the row's own names never."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.notification.models import NovuWorkflow, WorkflowType
from shared.notification.outcomes import Refusal, RefusalCode
from worker.rendering.payload_schema import find_violation
from worker.rendering.request import RenderRequest, render_request

ORDER = {
    "type": "object",
    "required": ["order"],
    "properties": {
        "order": {
            "type": "object",
            "properties": {"total": {"type": "number", "minimum": 0}, "mail": {"format": "email"}},
            "additionalProperties": {"type": "string"},
        },
        "lines": {"type": "array", "items": {"properties": {"sku": {"pattern": "^[A-Z]+$"}}}},
    },
}


def refusal_of(schema: Any, payload: Any) -> Refusal | None:
    return find_violation("receipt", json.dumps(schema), payload)


@pytest.mark.parametrize(
    ("payload", "violations"),
    [
        ({}, ["payload: required order"]),
        ({"order": 5}, ["payload.order: type"]),
        ({"order": {"total": -7}}, ["payload.order.total: minimum"]),
        ({"order": {"mail": "no-mail"}}, ["payload.order.mail: format"]),
        ({"order": {"ada@example.org": 1}}, ["payload.order.*: type"]),
        ({"order": {}, "lines": [{"sku": "A"}, {"sku": "secret1"}]}, ["payload.lines.1.sku: pattern"]),
    ],
)
def test_a_violation_is_told_by_path_and_keyword(payload: Any, violations: list[str]) -> None:
    refusal = refusal_of(ORDER, payload)

    assert refusal is not None
    assert refusal.code is RefusalCode.PAYLOAD_INVALID
    assert refusal.details == {"workflow": "receipt", "violations": violations}
    assert not any(secret in refusal.message for secret in ("ada@", "secret1", "-7", "no-mail"))


@pytest.mark.parametrize("schema", [ORDER, {}, True, {"$ref": "#"}])
def test_a_payload_that_keeps_to_it_passes(schema: Any) -> None:
    assert refusal_of(schema, {"order": {"total": 1.5, "mail": "a@example.org", "note": "x"}}) is None


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (5, ""),
        ({"type": "nonsense"}, "type"),
        ({"properties": {"a": {"pattern": "("}}}, "properties.a.pattern"),
        ({"pattern": "(?<=a)b"}, "pattern"),
        ({"$schema": "http://example.org/own"}, ""),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, ""),
        ({"properties": {"a": {"$ref": "#/definitions/none"}}}, ""),
    ],
)
def test_a_schema_that_cannot_be_used_says_where(schema: Any, path: str) -> None:
    refusal = refusal_of(schema, {})

    assert refusal is not None
    assert refusal.code is RefusalCode.PAYLOAD_SCHEMA_INVALID
    assert refusal.details == {"workflow": "receipt", "path": path}


def test_no_document_is_read_from_the_disk(tmp_path: Path) -> None:
    other = tmp_path / "schema.json"
    other.write_text('{"type": "string"}')

    refusal = refusal_of({"properties": {"a": {"$ref": other.as_uri()}}}, {"a": 5})

    assert refusal is not None
    assert refusal.code is RefusalCode.PAYLOAD_SCHEMA_INVALID


def test_a_regular_expression_that_explodes_elsewhere_takes_no_time() -> None:
    refusal = refusal_of({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 100_000 + "!"})

    assert refusal is not None
    assert refusal.details["violations"] == ["payload.a: pattern"]


def test_a_schema_that_nests_without_end_is_refused() -> None:
    refusal = find_violation("receipt", '{"not":' * 5_000 + "{}" + "}" * 5_000, {})

    assert refusal is not None
    assert refusal.code is RefusalCode.PAYLOAD_SCHEMA_INVALID


def test_a_number_too_great_is_no_crash() -> None:
    refusal = refusal_of({"properties": {"a": {"maximum": 5}}}, {"a": 10**400})

    assert refusal is not None
    assert refusal.code is RefusalCode.PAYLOAD_INVALID


def test_a_static_workflow_s_payload_is_held_to_it_as_well() -> None:
    workflow = NovuWorkflow("welcome", WorkflowType.STATIC, payload_schema=json.dumps(ORDER))

    refused = render_request(RenderRequest("acme", workflow, (), {}, {}))
    passed = render_request(RenderRequest("acme", workflow, (), {}, {"order": {}}))

    assert isinstance(refused, Refusal)
    assert passed == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "$ref", "pattern", "enum", "required", "allOf", "a"]),
            inner,
            max_size=3,
        )
    ),
)


@given(_JSON, st.dictionaries(st.text(max_size=3), _JSON))
def test_no_schema_and_no_payload_raises(schema: Any, payload: dict[str, Any]) -> None:
    refusal = refusal_of(schema, payload)

    assert refusal is None or refusal.code in (RefusalCode.PAYLOAD_INVALID, RefusalCode.PAYLOAD_SCHEMA_INVALID)
