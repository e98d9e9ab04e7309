"""What a template is tried with, from whatever its variables_description is."""

from typing import Any

import pytest

from cli.files.samples import sample_variables


@pytest.mark.parametrize(
    ("description", "variables"),
    [
        (None, {}),
        ("free text", {}),
        ({"name": "Whom it is for", "total": "number"}, {"name": "name", "total": 1}),
        ({"order.total": 12.5, "order.id": "Its number"}, {"order": {"total": 12.5, "id": "id"}}),
        ({"name": {"type": "string", "example": "Ada"}}, {"name": "Ada"}),
        ({"name": {"description": "Whom it is for"}}, {"name": "name"}),
        ({"paid": {"type": "boolean"}, "kind": {"enum": ["a", "b"]}}, {"paid": True, "kind": "a"}),
        ({"order": {"number": {"example": "A-1"}, "total": "Of all"}}, {"order": {"number": "A-1", "total": "total"}}),
        (
            {
                "type": "object",
                "properties": {"items": {"type": "array", "items": {"properties": {"n": {"type": "integer"}}}}},
            },
            {"items": [{"n": 1}]},
        ),
        ([{"name": "name", "type": "string"}, "other", 7], {"name": "name", "other": "other"}),
        ({"type": {"example": "express"}}, {"type": "express"}),
        ({"maybe": {"type": ["null", "number"]}, "items": [{"a": 1}]}, {"maybe": 1, "items": [{"a": 1}]}),
        ({"a": "x", "a.b": "y"}, {"a": {"b": "b"}}),
    ],
)
def test_samples_are_of_what_is_described(description: Any, variables: dict[str, Any]) -> None:
    assert sample_variables(description) == variables
