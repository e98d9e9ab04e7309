"""Members of a payload that cannot mean what they say: Novu puts its own in their place, or fails over them. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.notification.models import WorkflowType

NOVU_S_OWN = ("subscriber", "step")
"""In workflows with classic templates these are Novu's variables, whatever the payload says. In those whose steps say
`payload.step` nothing collides; which they are, no row tells, and a wrong text is worse than a refused row
(docs/decisions/0055-payload-members-that-collide.md).
"""


class RefusedMember(NamedTuple):
    """Which member, as a path that quotes nothing of the row, and why."""

    path: str
    why: str


def refused_member(payload: Mapping[str, Any], workflow_type: WorkflowType | None) -> RefusedMember | None:
    """The first member that cannot be sent with a workflow of this type, or with any if the type is not known."""
    if workflow_type is WorkflowType.DYNAMIC and "rendered" in payload:
        return RefusedMember("payload.rendered", "is where what is rendered goes")
    if workflow_type is WorkflowType.STATIC:
        for name in NOVU_S_OWN:
            if name in payload:
                return RefusedMember(f"payload.{name}", "is Novu's own variable, which would take its place")
    return _refused_attachment(payload.get("attachments"))


def _refused_attachment(attachments: Any) -> RefusedMember | None:
    """Novu answers a list whose members hold no file with 500, for ever."""
    if not isinstance(attachments, list):
        return None
    for place, attachment in enumerate(attachments):
        if not isinstance(attachment, Mapping):
            return RefusedMember(f"payload.attachments.{place}", "must be an object with a file in base64")
        if not isinstance(attachment.get("file"), str):
            return RefusedMember(f"payload.attachments.{place}.file", "must be a text, the file in base64")
    return None
