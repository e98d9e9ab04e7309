"""What a caller may put into a notification: recipients that Novu takes, and overrides that choose words, not ways."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from functions.callers import Caller
from functions.problems import Problem, ProblemCode
from functions.trigger_request import CreateAndSend
from shared.notification.overrides import broken_line
from shared.notification.payload_rules import refused_member
from shared.notification.recipients import not_taken

SEVERITIES = frozenset({"high", "medium", "low", "none"})

WORDS = frozenset({("email", "subject"), ("email", "text"), ("sms", "content")})
"""Texts that a caller may replace; with `severity`, all that one who is no operator may override. Every other member
names an address, a sender, an integration, a URL or a header, or is a provider's own (docs/functions.md).
"""

_MOST_NAMED = 20
_LONGEST_PATH = 100


def check_content(request: CreateAndSend, caller: Caller, *, any_subscriber_id: bool = False) -> None:
    """Raises Problem `invalid_recipients`, `invalid_request` or `override_not_allowed`."""
    if places := not_taken(request.recipients, any_id=any_subscriber_id):
        raise Problem(
            ProblemCode.INVALID_RECIPIENTS,
            "a recipient is a subscriber id of letters, digits, '_', ':', '.', '-', or an email address; some"
            " versions of Novu drop others without a word. If yours takes them, NOVU_SUBSCRIBER_IDS=any sends all but"
            " blank ones",
            recipients=places,
        )
    overrides = request.overrides or {}
    if (path := broken_line(overrides)) is not None:
        wrong = {"member": path, "reason": "must be one line, without control characters"}
        raise Problem(ProblemCode.INVALID_REQUEST, "the request is not as documented", errors=[wrong])
    if (member := refused_member(request.payload, None)) is not None:
        wrong = {"member": member.path, "reason": member.why}
        raise Problem(ProblemCode.INVALID_REQUEST, "the request is not as documented", errors=[wrong])
    if caller.is_operator:
        return
    if refused := list(islice(_not_allowed(overrides), _MOST_NAMED)):
        raise Problem(
            ProblemCode.OVERRIDE_NOT_ALLOWED,
            "the caller may override words, not where a message goes",
            overrides=refused,
        )


def _not_allowed(overrides: Mapping[str, Any]) -> Iterator[str]:
    """The paths of what is not on the list."""
    for name, value in overrides.items():
        if name == "severity":
            if value not in SEVERITIES:
                yield name
        elif isinstance(value, dict) and any(channel == name for channel, _ in WORDS):
            for member, text in value.items():
                if (name, member) not in WORDS or not isinstance(text, str):
                    yield f"{name}.{member}"[:_LONGEST_PATH]
        else:
            yield name[:_LONGEST_PATH]
