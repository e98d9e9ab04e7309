"""The body of POST and PUT /v2/workflows, held to Novu's limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LONGEST_NAME = 128
LONGEST_DESCRIPTION = 256
MOST_TAGS = 16
LONGEST_TAG = 64
MOST_STEPS = 20
STEP_TYPES = frozenset({"email", "in_app", "sms", "push", "chat", "delay", "digest", "throttle", "custom"})

_IDENTIFIER = re.compile(r"[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*")


def find_complaints(body: Mapping[str, Any], *, is_new: bool) -> list[str]:
    """class-validator's words for what is wrong; empty if Novu would save it."""
    found = [*_name_complaints("name", body.get("name"))]
    if is_new:
        workflow_id = body.get("workflowId")
        if not isinstance(workflow_id, str) or not _IDENTIFIER.fullmatch(workflow_id):
            found.append("workflowId must be a valid slug format (letters, numbers, hyphens, dots, underscores)")
    elif not isinstance(body.get("preferences"), Mapping):
        found.append("preferences must be an object")
    description = body.get("description")
    if description is not None and (not isinstance(description, str) or len(description) > LONGEST_DESCRIPTION):
        found.append(f"description must be shorter than or equal to {LONGEST_DESCRIPTION} characters")
    found += _tag_complaints(body.get("tags"))
    for name in ("active", "validatePayload"):
        if body.get(name) is not None and not isinstance(body[name], bool):
            found.append(f"{name} must be a boolean value")
    if body.get("payloadSchema") is not None and not isinstance(body["payloadSchema"], Mapping):
        found.append("payloadSchema must be an object")
    return found + _step_complaints(body.get("steps"))


def _name_complaints(path: str, name: Any) -> list[str]:
    if not isinstance(name, str) or not name:
        return [f"{path} must be longer than or equal to 1 characters"]
    if len(name) > LONGEST_NAME:
        return [f"{path} must be shorter than or equal to {LONGEST_NAME} characters"]
    return []


def _tag_complaints(tags: Any) -> list[str]:
    if tags is None:
        return []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return ["each value in tags must be a string"]
    found = []
    if len(tags) > MOST_TAGS:
        found.append(f"tags must contain no more than {MOST_TAGS} elements")
    if any(not 1 <= len(tag) <= LONGEST_TAG for tag in tags):
        found.append(f"each value in tags must be shorter than or equal to {LONGEST_TAG} characters and not empty")
    return found


def _step_complaints(steps: Any) -> list[str]:
    if not isinstance(steps, list):
        return ["steps must be an array"]
    if len(steps) > MOST_STEPS:
        return [f"steps must contain no more than {MOST_STEPS} elements"]
    found = []
    for index, step in enumerate(steps):
        if not isinstance(step, Mapping):
            found.append(f"steps.{index} must be an object")
            continue
        found += _name_complaints(f"steps.{index}.name", step.get("name"))
        if step.get("type") not in STEP_TYPES:
            found.append(f"steps.{index}.type must be one of {', '.join(sorted(STEP_TYPES))}")
        if step.get("controlValues") is not None and not isinstance(step["controlValues"], Mapping):
            found.append(f"steps.{index}.controlValues must be an object")
    return found
