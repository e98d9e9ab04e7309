"""What travels between the pool and its children: frames of JSON, each with its length before it.

To the child: `templates` (once for each call), `item` (one notification), `forget` (a call's templates).
From the child: `ready` once, then one answer for every item, in order.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, Final

from shared.notification.models import Channel, NovuWorkflow, Template, WorkflowType
from shared.notification.outcomes import Refusal, RefusalCode
from worker.rendering.removals import Removal
from worker.rendering.renderer import RenderedContent
from worker.rendering.request import RenderRequest

HEADER: Final = struct.Struct(">I")


def frame(message: Mapping[str, Any]) -> bytes:
    """One message with its length before it.

    Raises RecursionError or ValueError for a payload that nests too deeply or holds a number too long to be written.
    """
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return HEADER.pack(len(body)) + body


def templates_frame(call: int, templates: Mapping[str, Template]) -> bytes:
    rows = [[t.id, t.key, t.channel, t.subject, t.body] for t in templates.values()]
    return frame({"type": "templates", "call": call, "templates": rows})


def forget_frame(call: int) -> bytes:
    return frame({"type": "forget", "call": call})


def item_frame(call: int, request: RenderRequest) -> bytes:
    return frame(
        {
            "type": "item",
            "call": call,
            "enterprise": request.enterprise_id,
            "workflow": request.workflow.key,
            "references": request.workflow.template_references,
            "schema": request.workflow.payload_schema,
            "channels": request.channels,
            "payload": request.payload,
            "explain": request.explain,
        }
    )


def read_templates(message: Mapping[str, Any]) -> dict[str, Template]:
    rows = (Template(*row) for row in message["templates"])
    return {template.key: template for template in rows}


def read_item(message: Mapping[str, Any], templates: Mapping[str, Template]) -> RenderRequest:
    """The request of an `item` frame; of the workflow, what rendering needs."""
    references = {Channel(channel): reference for channel, reference in message["references"].items()}
    return RenderRequest(
        message["enterprise"],
        NovuWorkflow(
            message["workflow"],
            WorkflowType.DYNAMIC,
            template_references=references,
            payload_schema=message["schema"],
        ),
        tuple(Channel(channel) for channel in message["channels"]),
        templates,
        message["payload"],
        explain=message["explain"],
    )


def write_result(result: dict[Channel, RenderedContent] | Refusal) -> dict[str, Any]:
    if isinstance(result, Refusal):
        return {"refused": [result.code, result.message, result.details]}
    return {"contents": {channel: _write_content(content) for channel, content in result.items()}}


def read_result(answer: Mapping[str, Any]) -> dict[Channel, RenderedContent] | Refusal:
    if "refused" in answer:
        code, message, details = answer["refused"]
        return Refusal(RefusalCode(code), message, details)
    return {Channel(channel): _read_content(content) for channel, content in answer["contents"].items()}


def _write_content(content: RenderedContent) -> list[Any]:
    removed = [[removal.line, removal.what] for removal in content.removed]
    return [content.subject, content.body, content.segments, removed]


def _read_content(content: list[Any]) -> RenderedContent:
    subject, body, segments, removed = content
    return RenderedContent(subject, body, segments, tuple(Removal(*removal) for removal in removed))
