"""What Novu finds wrong in a step that it saves all the same: `steps[].issues`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from liquid import Environment as Liquid

from stack.novu_sink.integrations import CHANNELS, Integrations
from stack.novu_sink.worker.conditions import known_operators

_ILLEGAL_VARIABLE = "ILLEGAL_VARIABLE_IN_CONTROL_VALUE"
_INVALID_FILTER = "INVALID_FILTER_ARG_IN_VARIABLE"
_INVALID_URL = "INVALID_URL"
_MISSING = "MISSING_VALUE"
_TIER = "TIER_LIMIT_EXCEEDED"
_UNSUPPORTED = "UNSUPPORTED_PROPERTY"

_OUTPUT = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_KNOWN = re.compile(r"(payload|subscriber|workflow|context|steps|t|env)(\.|\[|$)")
_CONDITION = re.compile(r"(payload\.|subscriber\.data\.|context\.|subscriber\.\w+$|workflow\.\w+$|steps\.)")
_URL = re.compile(r"(https?://|/|\{\{)\S*")
_FILTERS = frozenset(Liquid().filters) | {"json", "digest", "toSentence", "pluralize"}
_REQUIRED = {
    "email": ("subject",),
    "in_app": ("body",),
    "sms": ("body",),
    "push": ("subject", "body"),
    "chat": ("body",),
}
_COMMON = {"skip"}
_CONTROLS = {
    "email": {"subject", "body", "editorType", "rendererType", "layoutId", "disableOutputSanitization"},
    "in_app": {
        "subject",
        "body",
        "avatar",
        "primaryAction",
        "secondaryAction",
        "redirect",
        "data",
        "disableOutputSanitization",
    },
    "sms": {"body"},
    "push": {"subject", "body"},
    "chat": {"body"},
}
_DAYS = {"seconds": 1 / 86_400, "minutes": 1 / 1440, "hours": 1 / 24, "days": 1, "weeks": 7, "months": 30}


def find_issues(
    step: Mapping[str, Any], integrations: Integrations, longest_delay_days: int, schema: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The step's issues as Novu shows them; empty if there are none."""
    kind = step["type"]
    controls = step.get("controlValues") or {}
    found: dict[str, list[dict[str, Any]]] = {}
    for key, issue in _control_issues(kind, controls, longest_delay_days, schema):
        found.setdefault(key, []).append(issue)
    issues: dict[str, Any] = {"controls": found} if found else {}
    if kind in CHANNELS and integrations.for_channel(kind) is None:
        text = f"Missing active integration provider for {kind}"
        issues["integration"] = {kind: [{"issueType": "MISSING_INTEGRATION", "message": text}]}
    return issues


def _control_issues(
    kind: str, controls: Mapping[str, Any], longest_delay_days: int, schema: Mapping[str, Any] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in _REQUIRED.get(kind, ()):
        if not controls.get(key):
            yield key, _issue(_MISSING, f"{key.capitalize()} is required")
    if kind == "email":
        for key in controls.keys() - _CONTROLS[kind] - _COMMON:
            yield key, _issue(_UNSUPPORTED, f"{key} is not supported")
    if kind in {"delay", "digest"}:
        days = float(controls.get("amount") or 0) * _DAYS.get(str(controls.get("unit")), 0)
        if days > longest_delay_days:
            yield "amount", _issue(_TIER, f"The maximum delay allowed is {longest_delay_days} days")
    redirect = controls.get("redirect")
    if isinstance(redirect, Mapping) and not _URL.fullmatch(str(redirect.get("url", ""))):
        yield "redirect.url", _issue(_INVALID_URL, "Invalid URL")
    for key, value in controls.items():
        if key == "skip":
            yield from _condition_issues(value)
            continue
        for variable, filters in _variables(value if isinstance(value, str) else json.dumps(value)):
            if not _is_known(variable, schema):
                yield key, _issue(_ILLEGAL_VARIABLE, f"Variable {variable} is not supported", variable)
            for name in filters:
                if name not in _FILTERS:
                    yield key, _issue(_INVALID_FILTER, f"Filter {name} is not supported", variable)


def _condition_issues(rule: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(rule, list):
        for one in rule:
            yield from _condition_issues(one)
    if not isinstance(rule, Mapping):
        return
    for operator, operands in rule.items():
        if operator == "var":
            variable = str(operands)
            if not _CONDITION.match(variable):
                yield "skip", _issue(_ILLEGAL_VARIABLE, f"Variable {variable} is not supported", variable)
            continue
        if operator not in known_operators():
            yield "skip", _issue(_MISSING, f"Operator {operator} is not supported")
        if operator not in {"==", "!=", "="} and isinstance(operands, list) and None in operands:
            yield "skip", _issue(_MISSING, "Value is required")
        yield from _condition_issues(operands)


def _variables(text: str) -> Iterator[tuple[str, list[str]]]:
    for output in _OUTPUT.findall(text):
        variable, *filters = (part.strip() for part in output.split("|"))
        if variable and variable[0] not in "'\"0123456789":
            yield variable, [name for name in (part.split(":")[0].strip() for part in filters) if name]


def _is_known(variable: str, schema: Mapping[str, Any] | None) -> bool:
    """Any `payload.*` without a schema; with one, only what it declares."""
    if not _KNOWN.match(variable):
        return False
    properties = (schema or {}).get("properties")
    if not isinstance(properties, Mapping) or not variable.startswith("payload."):
        return True
    return variable.removeprefix("payload.").split(".")[0].split("[")[0] in properties


def _issue(kind: str, message: str, variable: str | None = None) -> dict[str, Any]:
    return {"issueType": kind, "message": message, **({} if variable is None else {"variableName": variable})}
