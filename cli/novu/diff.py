"""What differs between a workflow as it should be and as Novu has it, and the body that removes the difference. Pure.

What we do not decide stays: a workflow's other tags, its preferences, controls that we never set.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PLAIN = ("name", "description", "active", "validatePayload")
_STEP_PLAIN = ("name", "type")


@dataclass(frozen=True, slots=True)
class Change:
    """One member, by its path; None is "not there"."""

    path: str
    before: Any
    after: Any


def differences(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> list[Change]:
    """Every member of ours that Novu has otherwise; empty if there is nothing to do."""
    found = [Change(name, observed.get(name), desired[name]) for name in _PLAIN if observed.get(name) != desired[name]]
    tags = observed.get("tags") or []
    if missing := [tag for tag in desired["tags"] if tag not in tags]:
        found.append(Change("tags", tags, [*tags, *missing]))
    return [*found, *_step_differences(desired["steps"], observed.get("steps") or [])]


def put_body(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> dict[str, Any]:
    """Of PUT: steps that Novu has keep their `_id`; what we do not decide is as it is."""
    there = {step.get("stepId"): step for step in observed.get("steps") or []}
    preferences = observed.get("preferences") or {}
    return {
        **desired,
        "tags": list(dict.fromkeys([*(observed.get("tags") or []), *desired["tags"]])),
        "preferences": {"user": preferences.get("user"), "workflow": preferences.get("default")},
        "steps": [_put_step(step, there.get(step["stepId"])) for step in desired["steps"]],
    }


def controls_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """A step's control values: newer answers have them in two places, older ones in one of the two."""
    values = step.get("controlValues")
    if values is None:
        values = (step.get("controls") or {}).get("values")
    return values or {}


def _put_step(step: Mapping[str, Any], there: Mapping[str, Any] | None) -> dict[str, Any]:
    if there is None or there.get("type") != step["type"]:
        return dict(step)
    return {**step, "_id": there["_id"], "controlValues": {**controls_of(there), **step["controlValues"]}}


def _step_differences(desired: list[dict[str, Any]], observed: list[dict[str, Any]]) -> Iterator[Change]:
    there = {step.get("stepId"): step for step in observed}
    wanted = [step["stepId"] for step in desired]
    for step in desired:
        path = f"steps.{step['stepId']}"
        if step["stepId"] not in there:
            yield Change(path, None, step["type"])
            continue
        found = there[step["stepId"]]
        for name in _STEP_PLAIN:
            if found.get(name) != step[name]:
                yield Change(f"{path}.{name}", found.get(name), step[name])
        controls = controls_of(found)
        for name, value in step["controlValues"].items():
            if controls.get(name) != value:
                yield Change(f"{path}.controlValues.{name}", controls.get(name), value)
    for step in observed:
        if step.get("stepId") not in wanted:
            yield Change(f"steps.{step.get('stepId')}", step.get("type"), None)
    kept = [step["stepId"] for step in observed if step.get("stepId") in wanted]
    if kept != [step_id for step_id in wanted if step_id in there]:
        yield Change("steps", kept, wanted)
