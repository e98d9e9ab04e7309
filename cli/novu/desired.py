"""What Novu should hold for a DYNAMIC workflow row. Pure.

Facts of Novu's that shape it: `skip` is the condition under which a step RUNS, and a step without one is sent whatever
the payload holds; `editorType` says html, because the block editor saves no body that is not its document; the <div>
keeps a body that happens to be JSON from being taken for one; single quotes, because controls are JSON; comparing the
whole object with null, because Novu compares numbers as numbers: a body "0" would equal null.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cli.novu.rows import Noted, WorkflowRow
from shared.notification.models import Channel

TAG = "xnovu"
"""Who bears it is ours: what `apply` may change, and no other."""

STEP_TYPES = {
    Channel.EMAIL: "email",
    Channel.IN_APP: "in_app",
    Channel.SMS: "sms",
    Channel.PUSH: "push",
    Channel.CHAT: "chat",
}
_STEP_NAMES = {
    Channel.EMAIL: "Email",
    Channel.IN_APP: "In-app",
    Channel.SMS: "SMS",
    Channel.PUSH: "Push",
    Channel.CHAT: "Chat",
}

LONGEST_NAME = 128
LONGEST_DESCRIPTION = 256
_IDENTIFIER = re.compile(r"[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*")
LONGEST_KEY = 256


@dataclass(frozen=True, slots=True)
class Desired:
    """One workflow at Novu, of one row: or of several, where the database lets rows share a key.

    `flaw` is why Novu could not hold it; `remarks` are what its owner should know.
    """

    key: str
    enterprise_ids: tuple[str, ...]
    name: str
    channels: tuple[Channel, ...]
    noted: Noted | None = None
    flaw: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """Of POST and PUT: what we decide. Novu's own members, and its users', are none of it."""
        description = (
            f"Kept by XNovu for {', '.join(self.enterprise_ids)}. Changes here are undone by xnovu novu apply."
        )
        return {
            "name": self.name,
            "description": description[:LONGEST_DESCRIPTION],
            "tags": [TAG],
            "active": True,
            "validatePayload": False,
            "steps": [_step(channel) for channel in self.channels],
        }

    @property
    def fingerprint(self) -> str:
        """Equal where the bodies are."""
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()[:32]


def desired_workflow(row: WorkflowRow) -> Desired:
    """The row's channels are its defaults and those that it has templates for."""
    channels = _in_order({*row.default_channels, *row.template_channels})
    bare = _in_order(set(row.default_channels) - set(row.template_channels))
    names = ", ".join(bare)
    return Desired(
        key=row.key,
        enterprise_ids=(row.enterprise_id,),
        name=(" ".join(row.name.split()) or row.key)[:LONGEST_NAME],
        channels=channels,
        noted=row.noted,
        flaw=row.flaw or _flaw(row.key, channels),
        remarks=(f"default channel {names} has no template: rows for it fail",) if bare else (),
    )


def united(one: Desired, other: Desired) -> Desired:
    """Two rows of one key: Novu has one workflow, which serves both."""
    enterprise_ids = tuple(dict.fromkeys((*one.enterprise_ids, *other.enterprise_ids)))
    channels = _in_order({*one.channels, *other.channels})
    remark = f"several rows have this key ({', '.join(enterprise_ids)}): their channels are united"
    return replace(
        one,
        enterprise_ids=enterprise_ids,
        channels=channels,
        flaw=one.flaw or other.flaw,
        remarks=tuple(dict.fromkeys((*one.remarks, *other.remarks, remark))),
    )


def channels_of_types(types: Sequence[str]) -> tuple[Channel, ...]:
    """The channels of Novu's step types; delays and the like are none."""
    return _in_order({channel for channel, kind in STEP_TYPES.items() if kind in types})


def _flaw(key: str, channels: Sequence[Channel]) -> str | None:
    if not _IDENTIFIER.fullmatch(key) or len(key) > LONGEST_KEY:
        return (
            "its workflow_key is no identifier of Novu's: letters and digits, with single '-', '_' or '.' between,"
            f" {LONGEST_KEY} at most"
        )
    return None if channels else "it has no channel: no default_channels, and no template in template_overrides"


def _in_order(channels: set[Channel]) -> tuple[Channel, ...]:
    return tuple(channel for channel in STEP_TYPES if channel in channels)


def _step(channel: Channel) -> dict[str, Any]:
    kind = STEP_TYPES[channel]
    return {
        "name": _STEP_NAMES[channel],
        "type": kind,
        "stepId": f"xnovu-{kind.replace('_', '-')}",
        "controlValues": {**_controls(channel), "skip": {"!=": [{"var": f"payload.rendered.{channel}"}, None]}},
    }


def _controls(channel: Channel) -> dict[str, Any]:
    body = f"{{{{payload.rendered.{channel}.body}}}}"
    subject = f"{{{{payload.rendered.{channel}.subject | default: '{{}}'}}}}"
    match channel:
        case Channel.EMAIL:
            return {
                "editorType": "html",
                "disableOutputSanitization": True,
                "layoutId": None,
                "subject": subject.replace("{}", "Notification"),
                "body": f"<div>{body}</div>",
            }
        case Channel.IN_APP:
            return {"disableOutputSanitization": True, "body": body}
        case Channel.PUSH:
            return {"subject": subject.replace("{}", "New message"), "body": body}
        case Channel.SMS | Channel.CHAT:
            return {"body": body}
