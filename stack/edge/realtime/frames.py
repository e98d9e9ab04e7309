"""Phoenix frames on the wire: version 1 are JSON objects, version 2 JSON arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class ClientFrame:
    """What a client sent. `join_ref` is optional in version 1."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: Any


class Serializer(Protocol):
    """One version of the protocol."""

    def parse(self, text: str) -> ClientFrame | None:
        """The frame in `text`; None for what is no frame, which the server ignores."""
        ...

    def frame(self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: str) -> str:
        """A server's frame around `payload`, which is JSON already."""
        ...


class ObjectFrames:
    """Version 1.0.0, the Python client's. The server's frames leave the join reference out."""

    def parse(self, text: str) -> ClientFrame | None:
        content = _json(text)
        if not isinstance(content, dict) or not {"ref", "topic", "event"} <= content.keys():
            return None
        return _client_frame(
            content.get("join_ref"), content["ref"], content["topic"], content["event"], content.get("payload")
        )

    def frame(self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: str) -> str:
        return f'{{"ref":{compact(ref)},"event":{compact(event)},"topic":{compact(topic)},"payload":{payload}}}'


class ArrayFrames:
    """Version 2.0.0."""

    def parse(self, text: str) -> ClientFrame | None:
        content = _json(text)
        return _client_frame(*content) if isinstance(content, list) and len(content) == 5 else None

    def frame(self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: str) -> str:
        return f"[{compact(join_ref)},{compact(ref)},{compact(topic)},{compact(event)},{payload}]"


SERIALIZERS: Mapping[str, Serializer] = {"1.0.0": ObjectFrames(), "2.0.0": ArrayFrames()}


def compact(value: object) -> str:
    """JSON without spaces, non-ASCII characters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _json(text: str) -> Any:
    try:
        content = json.loads(text)
        if "\\u" in text:
            # Half a surrogate pair is no text: neither PostgreSQL nor a frame could take it.
            compact(content).encode()
    except (ValueError, RecursionError):
        return None
    return content


def _client_frame(join_ref: Any, ref: Any, topic: Any, event: Any, payload: Any) -> ClientFrame | None:
    if not isinstance(topic, str) or not isinstance(event, str):
        return None
    return ClientFrame(join_ref, ref, topic, event, payload)
