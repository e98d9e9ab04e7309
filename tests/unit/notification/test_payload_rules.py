"""Payload members that Novu overwrites, or fails over, are named before anything is sent."""

from typing import Any

import pytest

from shared.notification.models import WorkflowType
from shared.notification.payload_rules import refused_member

STATIC, DYNAMIC = WorkflowType.STATIC, WorkflowType.DYNAMIC
FILE = {"file": "QUJD", "name": "a.txt"}


@pytest.mark.parametrize(
    ("payload", "workflow_type", "path"),
    [
        ({"rendered": {}}, DYNAMIC, "payload.rendered"),
        ({"rendered": None}, DYNAMIC, "payload.rendered"),
        ({"subscriber": 1}, STATIC, "payload.subscriber"),
        ({"step": "two"}, STATIC, "payload.step"),
        ({"attachments": ["a.pdf"]}, STATIC, "payload.attachments.0"),
        ({"attachments": [FILE, {"name": "x"}]}, DYNAMIC, "payload.attachments.1.file"),
        ({"attachments": [None]}, None, "payload.attachments.0"),
        ({"attachments": [{"file": 5}]}, None, "payload.attachments.0.file"),
    ],
)
def test_what_collides_is_named(payload: dict[str, Any], workflow_type: WorkflowType | None, path: str) -> None:
    member = refused_member(payload, workflow_type)

    assert member is not None
    assert member.path == path


@pytest.mark.parametrize(
    ("payload", "workflow_type"),
    [
        ({"rendered": {}}, STATIC),
        ({"subscriber": 1, "step": 2}, DYNAMIC),
        ({"subscriber": 1, "rendered": 1}, None),
        ({"tenant": 1, "actor": 1, "branding": 1, "preheader": 1, "__source": 1, "email": 1}, STATIC),
        ({"attachments": [FILE]}, DYNAMIC),
        ({"attachments": []}, DYNAMIC),
        ({"attachments": "a.pdf"}, DYNAMIC),
        ({"attachments": None}, STATIC),
    ],
)
def test_what_does_not_collide_is_sent(payload: dict[str, Any], workflow_type: WorkflowType | None) -> None:
    assert refused_member(payload, workflow_type) is None
