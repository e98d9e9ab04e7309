"""What is wrong at Novu that no request can mend: its own issues, integrations that are missing. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.novu.desired import STEP_TYPES
from shared.notification.models import Channel

_NEED_PRIMARY = (Channel.EMAIL, Channel.SMS)

_ISSUE_HINTS = {
    "TIER_LIMIT_EXCEEDED": "a larger plan of Novu's, or less of it.",
    "ILLEGAL_VARIABLE_IN_CONTROL_VALUE": "a payload schema at Novu that does not declare `rendered`? Take it away.",
    "UNSUPPORTED_PROPERTY": "this Novu knows another set of controls: update it.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, in one line, and what to do; `key` is the workflow's, None if it is the environment's."""

    key: str | None
    kind: str
    message: str
    hint: str


def find_in_document(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Every issue of every step; that an integration is missing is told once for all, by `integration_findings`."""
    key = document.get("workflowId")
    for step in document.get("steps") or []:
        controls = (step.get("issues") or {}).get("controls") or {}
        for control, issues in controls.items():
            for issue in issues:
                kind = str(issue.get("issueType"))
                text = f"step {step.get('stepId')}, {control}: {kind}, {issue.get('message')}"
                yield Finding(key, "issue", text, _ISSUE_HINTS.get(kind, "see the step in Novu's dashboard."))


def integration_findings(
    environment: str, channels: Mapping[Channel, int], active: Sequence[Mapping[str, Any]]
) -> list[Finding]:
    """Channels that workflows need, and nothing in the environment sends; `channels` counts the workflows."""
    found = []
    for channel, workflows in channels.items():
        usable = [one for one in active if one.get("channel") == STEP_TYPES[channel]]
        if not usable:
            what = "no active integration"
        elif channel in _NEED_PRIMARY and not any(one.get("primary") for one in usable):
            what = "no primary integration"
        else:
            continue
        text = f"{environment} has {what} for {channel}, which {workflows} workflows need"
        found.append(Finding(None, "integration", text, "add one in Novu's Integrations, in this environment."))
    return found
