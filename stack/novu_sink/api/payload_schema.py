"""A payload held to its workflow's schema, where the workflow asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft7Validator

from stack.novu_sink.api.answers import Refused


def payload_refusal(workflow: Mapping[str, Any], content: Mapping[str, Any]) -> Refused | None:
    """Novu's 400 for a payload that its schema refuses; otherwise the schema's defaults are written into it."""
    schema = workflow.get("payloadSchema")
    if not workflow.get("validatePayload") or not isinstance(schema, dict):
        return None
    payload = content.get("payload") or {}
    errors = sorted(Draft7Validator(schema).iter_errors(payload), key=lambda error: list(map(str, error.path)))
    if not errors:
        _write_defaults(schema, payload)
        return None
    details = [
        {
            "field": "/".join(map(str, error.absolute_path)) or "payload",
            "message": error.message,
            "value": error.instance,
            "schemaPath": "#/" + "/".join(map(str, error.absolute_schema_path)),
        }
        for error in errors
    ]
    told = "; ".join(f"{detail['field']}: {detail['message']}" for detail in details)
    context = {"type": "PAYLOAD_VALIDATION_ERROR", "errors": details, "schema": schema}
    return Refused(400, f"Payload validation failed: {told}", ctx=context)


def _write_defaults(schema: Mapping[str, Any], payload: Any) -> None:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not isinstance(payload, dict):
        return
    for name, member in properties.items():
        if not isinstance(member, Mapping):
            continue
        if name not in payload and "default" in member:
            payload[name] = member["default"]
        elif name in payload:
            _write_defaults(member, payload[name])
