"""What a rendering gave, for people as text and for programs as JSON."""

from typing import Any

from cli.terminal import say
from shared.notification.models import Channel
from shared.notification.outcomes import Refusal
from worker.rendering.channel_limits import limits_for
from worker.rendering.renderer import RenderedContent
from worker.rendering.request import RenderDelayed, RenderResult
from worker.rendering.sms_segments import characters_outside_gsm


def preview_json(result: RenderResult) -> dict[str, Any]:
    """`{"channels": {"SMS": {...}}}`, or `{"refusal": {"code", "message", ...}}`, as docs/templates.md says."""
    if isinstance(result, dict):
        return {"channels": {channel.value: _channel_json(channel, content) for channel, content in result.items()}}
    return {"refusal": _refusal_json(result)}


def print_preview(result: RenderResult) -> None:
    """Each channel's size, warnings, subject and body on standard output; a refusal on standard error."""
    if not isinstance(result, dict):
        refusal = _refusal_json(result)
        say(f"Refused, {refusal['code']}: {refusal['message']}", err=True)
        say("Hint: docs/error_codes.md says what to do; a row would end as FAILED with this.", err=True)
        return
    for channel, content in result.items():
        say(f"{channel.value}: {_size(channel, content)}")
        for warning in _warnings(channel, content):
            where = "" if warning["line"] is None else f"line {warning['line']}: "
            say(f"  ! {where}{warning['message']}")
        if content.subject is not None:
            say(f"  subject: {content.subject}")
        say("".join(f"  | {line}\n" for line in content.body.splitlines()) or "  (an empty body)\n")


def _channel_json(channel: Channel, content: RenderedContent) -> dict[str, Any]:
    return {
        "subject": content.subject,
        "body": content.body,
        "bytes": len(content.body.encode()),
        "characters": len(content.body),
        "segments": content.segments,
        "warnings": _warnings(channel, content),
    }


def _refusal_json(result: Refusal | RenderDelayed) -> dict[str, Any]:
    if isinstance(result, RenderDelayed):
        return {"code": "delayed", "message": f"it costs too much; it would be tried again in {result.seconds:g} s"}
    return {"code": result.code.value, "message": result.message, **result.details}


def _warnings(channel: Channel, content: RenderedContent) -> list[dict[str, Any]]:
    """What was removed, by line of the text before it was sanitised; what makes an SMS dear."""
    warnings: list[dict[str, Any]] = [
        {"line": removal.line, "message": f"removed {removal.what}"} for removal in content.removed
    ]
    if channel is Channel.SMS and (foreign := characters_outside_gsm(content.body)):
        shown = " ".join(foreign[:10])
        warnings.append({"line": None, "message": f"70 characters in a segment instead of 160, for: {shown}"})
    return warnings


def _size(channel: Channel, content: RenderedContent) -> str:
    limits = limits_for(channel)
    if limits.body_characters is not None:
        size = f"{len(content.body):,} of {limits.body_characters:,} characters"
    else:
        size = f"{len(content.body.encode()):,} of {limits.body_bytes:,} bytes"
    return size if content.segments is None else f"{size}, {content.segments} segments"
