"""A workflow that shows whatever it is triggered with: for tests, the demo and the benchmark."""

from __future__ import annotations

from typing import Any

_RENDERED = ("EMAIL", "IN_APP", "SMS", "PUSH", "CHAT")


def sample_body(workflow_id: str) -> dict[str, Any]:
    """A step for each channel, which runs where the payload holds that channel rendered; and one in-app step for
    payloads that hold nothing rendered, which shows the payload."""
    plain = {
        "body": "{{ payload | json }}",
        "disableOutputSanitization": True,
        "skip": {"==": [{"var": "payload.rendered"}, None]},
    }
    return {
        "name": workflow_id[:128],
        "workflowId": workflow_id,
        "tags": ["sample"],
        "steps": [
            *(
                {
                    "name": channel,
                    "stepId": f"sample-{channel.lower()}",
                    "type": channel.lower(),
                    "controlValues": _controls(channel),
                }
                for channel in _RENDERED
            ),
            {"name": "Payload", "stepId": "sample-payload", "type": "in_app", "controlValues": plain},
        ],
    }


def _controls(channel: str) -> dict[str, Any]:
    where = f"payload.rendered.{channel}"
    controls: dict[str, Any] = {
        "body": f"{{{{ {where}.body }}}}",
        "skip": {"!=": [{"var": where}, None]},
    }
    match channel:
        case "EMAIL":
            controls["body"] = f"<div>{controls['body']}</div>"
            controls |= {"editorType": "html", "layoutId": None, "disableOutputSanitization": True}
            controls["subject"] = f"{{{{ {where}.subject | default: 'Notification' }}}}"
        case "PUSH":
            controls["subject"] = f"{{{{ {where}.subject | default: 'New message' }}}}"
        case "IN_APP":
            controls["disableOutputSanitization"] = True
    return controls
