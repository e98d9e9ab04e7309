"""Holds a payload to its workflow's JSON Schema. Paths and keywords are told, values never.

For a child of the render pool: a schema is somebody's program, and may cost without bound.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

import jsonschema_rs

from shared.notification.outcomes import Refusal, RefusalCode

_MOST_NAMED: Final = 5
_LONGEST_PATH: Final = 200

_NOT_TAKEN: Final = (ValueError, TypeError, OverflowError, RecursionError, jsonschema_rs.ReferencingError)
"""What the library raises for a schema that is none (its ValidationError is a ValueError), or a value too deep."""

_MEMBERS: Final = ("properties", "patternProperties", "dependentRequired", "dependentSchemas", "dependencies")


class _Checked(NamedTuple):
    """A schema made ready, and all names that it gives to members: its author's, which may be told."""

    validator: jsonschema_rs.Validator
    names: frozenset[str]


def find_violation(workflow_key: str, schema: str, payload: Mapping[str, Any]) -> Refusal | None:
    """Why the payload breaks the schema, or why that is none; None if all is well. `schema` is JSON's text."""
    try:
        checked = _checked(schema)
    except _NOT_TAKEN as error:
        path = _schema_path(error)
        return Refusal(
            RefusalCode.PAYLOAD_SCHEMA_INVALID,
            f"payload_schema of workflow {workflow_key} is no JSON Schema that can be used"
            + (f": see {path}" if path else ""),
            {"workflow": workflow_key, "path": path},
        )
    try:
        if checked.validator.is_valid(payload):
            return None
        # Collecting errors can cost a thousand times what the yes or no does.
        errors = list(islice(checked.validator.iter_errors(payload), _MOST_NAMED))
    except _NOT_TAKEN:
        return Refusal(
            RefusalCode.PAYLOAD_INVALID,
            f"payload cannot be held to payload_schema of workflow {workflow_key}: a number or its depth is too great",
            {"workflow": workflow_key},
        )
    violations = [f"{_path(error.instance_path, checked.names)}: {_keyword(error)}" for error in errors]
    return Refusal(
        RefusalCode.PAYLOAD_INVALID,
        f"payload breaks payload_schema of workflow {workflow_key}: {'; '.join(violations)}",
        {"workflow": workflow_key, "violations": violations},
    )


@lru_cache(maxsize=100)
def _checked(schema: str) -> _Checked:
    """Linear regular expressions, because others can take for ever; no other document, on a network or on a disk."""
    parsed = json.loads(schema)
    validator = jsonschema_rs.validator_for(
        parsed, pattern_options=jsonschema_rs.RegexOptions(), validate_formats=True, offline=True
    )
    return _Checked(validator, frozenset(_names(parsed)))


def _names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for keyword, value in schema.items():
            if keyword in _MEMBERS and isinstance(value, dict):
                yield from value
            elif keyword == "required" and isinstance(value, list):
                yield from (name for name in value if isinstance(name, str))
            yield from _names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _names(value)


def _path(parts: list[str | int], names: frozenset[str]) -> str:
    """Where in the payload; a name that the schema does not know is the row's, and is `*`."""
    told = ["payload", *(str(part) if isinstance(part, int) or part in names else "*" for part in parts)]
    return ".".join(told)[:_LONGEST_PATH]


def _keyword(error: jsonschema_rs.ValidationError) -> str:
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            return f"required {name}"[:_LONGEST_PATH]
        case kind:
            return kind.name


def _schema_path(error: Exception) -> str:
    """Where in the schema, as far as the library says."""
    if not isinstance(error, jsonschema_rs.ValidationError):
        return ""
    return ".".join(map(str, error.instance_path))[:_LONGEST_PATH]
