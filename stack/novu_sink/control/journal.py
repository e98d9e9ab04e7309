"""Everything the sink was sent: raw bodies kept as they came, counted at once, read only when somebody asks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stack.novu_sink.control.record_file import RecordFile

PROCESSED = "processed"
ERROR = "error"


@dataclass(slots=True)
class ReceivedEvent:
    """One event, what the API answered, and what the worker made of it.

    `recipients` counts those named. `duplicate` is the worker's verdict, None until it has looked: a job with its
    transaction id was there already, so nobody got anything. `due` is when the worker looks, in Unix seconds.
    """

    workflow: str
    transaction_id: str
    recipients: int
    status: str = PROCESSED
    error: list[str] | None = None
    duplicate: bool | None = None
    cancelled: bool = False
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One HTTP request; `answer` is the HTTP status it got, None if it got none."""

    request_id: int
    method: str
    path: str
    received_at_ns: int
    answer: int | None
    events: Sequence[ReceivedEvent]
    body: bytes

    def contents(self) -> list[Any]:
        """The events as they were sent."""
        content = json.loads(self.body)
        return content["events"] if self.path.endswith("/bulk") else [content]

    def contents_or_none(self) -> list[Any]:
        """Nothing for a request in which there were no events to look at."""
        return self.contents() if self.events else []


@dataclass(frozen=True, slots=True)
class Call:
    """One event of one accepted request, as somebody looks at it."""

    request: ReceivedRequest
    event: ReceivedEvent
    content: Any


class Journal:
    """The requests to Novu's interface since the last reset, those to the event endpoints in full."""

    def __init__(self, record_file: RecordFile | None = None) -> None:
        self._record_file = record_file
        self._forget()

    def record(
        self,
        method: str,
        path: str,
        received_at_ns: int,
        answer: int | None,
        events: Sequence[ReceivedEvent],
        body: bytes,
        *,
        is_event: bool,
        environment_id: str = "",
    ) -> None:
        """Keep a request and count its events. Only those to event endpoints outlive the process."""
        number = len(self._requests) + len(self._others) + 1
        request = ReceivedRequest(number, method, path, received_at_ns, answer, events, body if is_event else b"")
        if not is_event:
            self._others.append(request)
            return
        if self._record_file:
            entry = {
                "request_id": number,
                "method": method,
                "path": path,
                "received_at_ns": received_at_ns,
                "answer": answer,
                "environment_id": environment_id,
                "events": [_as_entry(event) for event in events],
                "body": body.decode(errors="replace"),
            }
            self._record_file.append({"request": entry})
        self._count(request)

    def replay(self, entry: dict[str, Any]) -> ReceivedRequest:
        """Take back a request that the record file kept."""
        events = [ReceivedEvent(**event) for event in entry.pop("events")]
        entry.pop("environment_id")
        request = ReceivedRequest(**entry | {"events": events, "body": entry["body"].encode()})
        self._count(request)
        return request

    def reset(self) -> None:
        """Forget everything."""
        self._forget()

    def requests(self, *, others: bool = False) -> list[ReceivedRequest]:
        """Those to event endpoints, or in order all of them."""
        if not others:
            return list(self._requests)
        return sorted([*self._requests, *self._others], key=lambda request: request.request_id)

    def calls(
        self, *, transaction_id_prefix: str = "", workflow: str | None = None, newest_first: bool = False
    ) -> Iterator[Call]:
        """The events of accepted requests. A body is parsed only if one of its events is wanted."""
        for request in reversed(self._requests) if newest_first else self._requests:
            wanted = [
                index
                for index, event in enumerate(request.events)
                if event.transaction_id.startswith(transaction_id_prefix) and workflow in (None, event.workflow)
            ]
            if not wanted:
                continue
            contents = request.contents()
            for index in reversed(wanted) if newest_first else wanted:
                yield Call(request, request.events[index], contents[index])

    def summary(self) -> dict[str, Any]:
        """Counts: `events` and what became of them; `recipients` named, duplicates not counted again."""
        totals = _no_events()
        by_workflow: dict[str, dict[str, int]] = {}
        cancelled = set()
        for request in self._requests:
            for event in request.events:
                of_workflow = by_workflow.setdefault(event.workflow, _no_events())
                for counts in (totals, of_workflow):
                    _count_event(counts, event)
                if event.cancelled:
                    cancelled.add(event.transaction_id)
        return {
            "requests": len(self._requests),
            "other_requests": len(self._others),
            "answers": dict(self._answers),
            **totals,
            "cancelled": len(cancelled),
            "workflows": dict(sorted(by_workflow.items())),
        }

    def _forget(self) -> None:
        self._requests: list[ReceivedRequest] = []
        self._others: list[ReceivedRequest] = []
        self._answers: Counter[str] = Counter()

    def _count(self, request: ReceivedRequest) -> None:
        self._requests.append(request)
        self._answers["none" if request.answer is None else str(request.answer)] += 1


def _no_events() -> dict[str, int]:
    return {"events": 0, "delivered": 0, "recipients": 0, "duplicates": 0, "refused": 0}


def _count_event(counts: dict[str, int], event: ReceivedEvent) -> None:
    counts["events"] += 1
    if event.status != PROCESSED:
        counts["refused"] += 1
    elif event.duplicate:
        counts["duplicates"] += 1
    else:
        counts["delivered"] += 1
        counts["recipients"] += event.recipients


def _as_entry(event: ReceivedEvent) -> dict[str, Any]:
    """Written out: `asdict` would take a third of the time that a request has."""
    return {
        "workflow": event.workflow,
        "transaction_id": event.transaction_id,
        "recipients": event.recipients,
        "status": event.status,
        "error": event.error,
        "due": event.due,
    }
