"""Whom a trigger's `to` names: subscriber ids, subscriber objects, topics, and whatever else was written there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SUBSCRIBER_ID = re.compile(r"[A-Za-z0-9_:.\-]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class Recipients:
    """`kept` maps ids to what was said of the subscriber inline; `dropped` says why others get nothing."""

    kept: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def resolve(to: Any, *, check: bool = False) -> Recipients:
    """What Novu's worker makes of `to`. With `check`, ids that are neither an id nor an address are dropped too."""
    found = Recipients()
    for recipient in to if isinstance(to, list) else [to]:
        inline: Mapping[str, Any] = recipient if isinstance(recipient, Mapping) else {}
        if "topicKey" in inline:
            found.dropped.append("unknown topic")
            continue
        key = inline.get("subscriberId") if inline else recipient
        if not isinstance(key, str) or not key.strip():
            found.dropped.append("no subscriber id")
        elif check and not (_SUBSCRIBER_ID.fullmatch(key.strip()) or _EMAIL.fullmatch(key.strip())):
            found.dropped.append("invalid subscriber id")
        else:
            found.kept[key.strip()] = {**found.kept.get(key.strip(), {}), **inline}
    return found


def recipient_ids(to: Any) -> list[str]:
    """The ids of subscribers and keys of topics that were written down, repeated ones too."""
    found = []
    for recipient in to if isinstance(to, list) else [to]:
        key = recipient
        if isinstance(recipient, Mapping):
            key = recipient.get("subscriberId", recipient.get("topicKey"))
        if isinstance(key, str) and key.strip():
            found.append(key.strip())
    return found
