"""What differs between a workflow as it should be and as Novu has it, and the body that removes the difference. Pure.

What we do not decide stays: a workflow's other tags, its preferences, and, in a workflow that is ours already, controls
that we never set. The controls of one that is taken over go: they were made for another payload.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    if not _is_ours(desired, observed):
        tags = observed.get("tags") or []
        found.append(Change("tags", tags, _tags(desired, observed)))
    return [*found, *_step_differences(desired, observed)]


def put_body(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> dict[str, Any]:
    """Of PUT: steps that Novu has keep their `_id`; what we do not decide is as it is."""
    preferences = observed.get("preferences") or {}
    ours = _is_ours(desired, observed)
    return {
        **desired,
        "tags": _tags(desired, observed),
        "preferences": {"user": preferences.get("user"), "workflow": preferences.get("default")},
        "steps": [_put_step(step, there, ours=ours) for step, there in _pairs(desired, observed)],
    }


def controls_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """A step's control values: newer answers have them in two places, older ones in one of the two."""
    values = step.get("controlValues")
    if values is None:
        values = (step.get("controls") or {}).get("values")
    return values or {}


def _is_ours(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> bool:
    return set(desired["tags"]) <= set(observed.get("tags") or ())


def _tags(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*(observed.get("tags") or []), *desired["tags"]]))


def _pairs(
    desired: Mapping[str, Any], observed: Mapping[str, Any]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Each step of ours with Novu's: by `stepId`, else the first of its type that is no other's.

    A step of a workflow that was taken over keeps its `stepId` for ever: Novu would find it by its name anyway.
    """
    free = list(observed.get("steps") or [])
    found: dict[str, Mapping[str, Any]] = {}
    for key in ("stepId", "type"):
        for step in desired["steps"]:
            there = next((one for one in free if one.get(key) == step[key] and one.get("type") == step["type"]), None)
            if step["stepId"] not in found and there is not None:
                found[step["stepId"]] = there
                free.remove(there)
    return [(step, found.get(step["stepId"])) for step in desired["steps"]]


def _put_step(step: Mapping[str, Any], there: Mapping[str, Any] | None, *, ours: bool) -> dict[str, Any]:
    if there is None:
        return dict(step)
    kept = controls_of(there) if ours else {}
    controls = {**kept, **step["controlValues"]}
    return {**step, "_id": there["_id"], "stepId": there.get("stepId"), "controlValues": controls}


def _step_differences(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> Iterator[Change]:
    pairs = _pairs(desired, observed)
    for step, there in pairs:
        if there is None:
            yield Change(f"steps.{step['stepId']}", None, step["type"])
        else:
            yield from _changes_in(step, there, ours=_is_ours(desired, observed))
    there_in_our_order = [there for _, there in pairs if there is not None]
    kept = []
    for one in observed.get("steps") or []:
        if any(one is there for there in there_in_our_order):
            kept.append(one)
        else:
            yield Change(f"steps.{one.get('stepId')}", one.get("type"), None)
    if _ids(kept) != _ids(there_in_our_order):
        yield Change("steps", _ids(kept), _ids(there_in_our_order))


def _changes_in(step: Mapping[str, Any], there: Mapping[str, Any], *, ours: bool) -> Iterator[Change]:
    path = f"steps.{there.get('stepId')}"
    for name in _STEP_PLAIN:
        if there.get(name) != step[name]:
            yield Change(f"{path}.{name}", there.get(name), step[name])
    wanted, controls = step["controlValues"], controls_of(there)
    for name, value in wanted.items():
        if controls.get(name) != value:
            yield Change(f"{path}.controlValues.{name}", controls.get(name), value)
    for name, value in controls.items() if not ours else ():
        if name not in wanted and value is not None:
            yield Change(f"{path}.controlValues.{name}", value, None)


def _ids(steps: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [step.get("stepId") for step in steps]
