"""Everything the sink was sent: raw bodies kept as they came, counted at once, read only when somebody asks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from stack.novu_sink.record_file import RecordFile

PROCESSED = "processed"
ERROR = "error"


@dataclass(slots=True)
class ReceivedEvent:
    """One event and the sink's verdict on it.

    `recipients` counts the valid ones. `duplicate` says that its transaction id had been processed before, so that
    nobody got it again.
    """

    workflow: str
    transaction_id: str
    recipients: int
    status: str = PROCESSED
    error: list[str] | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One HTTP request to an event endpoint; `answer` is the HTTP status it got, None if it was left hanging."""

    request_id: int
    received_at_ns: int
    path: str
    answer: int | None
    events: tuple[ReceivedEvent, ...]
    body: bytes

    def contents(self) -> list[Any]:
        """The events as they were sent."""
        content = json.loads(self.body)
        return content["events"] if self.path.endswith("/bulk") else [content]


@dataclass(frozen=True, slots=True)
class Call:
    """One event of one accepted request, as somebody looks at it."""

    request: ReceivedRequest
    event: ReceivedEvent
    content: Any


class Journal:
    """The sink's memory; with a record file it outlives the process."""

    def __init__(self, record_file: RecordFile | None = None) -> None:
        self._record_file = record_file
        self._forget()
        for entry in record_file.read() if record_file else ():
            self._replay(entry)

    def record(
        self, received_at_ns: int, path: str, answer: int | None, events: Iterable[ReceivedEvent], body: bytes
    ) -> ReceivedRequest:
        """Keep a request, marking those of its events that repeat a processed transaction id."""
        request = ReceivedRequest(len(self._requests) + 1, received_at_ns, path, answer, tuple(events), body)
        for event in request.events:
            event.duplicate = event.status == PROCESSED and event.transaction_id in self._transaction_ids
            if event.status == PROCESSED:
                self._transaction_ids.add(event.transaction_id)
        if self._record_file:
            self._record_file.append(asdict(request) | {"body": body.decode(errors="replace")})
        self._count(request)
        return request

    def cancel(self, transaction_id: str) -> bool:
        """Mark a processed event cancelled; False if there is none, or it is cancelled already."""
        if transaction_id not in self._transaction_ids or transaction_id in self._cancelled:
            return False
        self._cancelled.add(transaction_id)
        if self._record_file:
            self._record_file.append({"cancelled": transaction_id})
        return True

    def reset(self) -> None:
        """Forget everything, the record file's content too."""
        self._forget()
        if self._record_file:
            self._record_file.clear()

    def is_cancelled(self, transaction_id: str) -> bool:
        return transaction_id in self._cancelled

    def requests(self) -> list[ReceivedRequest]:
        return list(self._requests)

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
        """Counts: `events` and what became of them; `recipients` reached, duplicates not counted again."""
        return {
            "requests": len(self._requests),
            "answers": dict(self._answers),
            **self._totals,
            "cancelled": len(self._cancelled),
            "workflows": {name: dict(counts) for name, counts in sorted(self._by_workflow.items())},
        }

    def _forget(self) -> None:
        self._requests: list[ReceivedRequest] = []
        self._transaction_ids: set[str] = set()
        self._cancelled: set[str] = set()
        self._answers: Counter[str] = Counter()
        self._totals = _no_events()
        self._by_workflow: dict[str, dict[str, int]] = {}

    def _replay(self, entry: dict[str, Any]) -> None:
        if "cancelled" in entry:
            self._cancelled.add(entry["cancelled"])
            return
        events = tuple(ReceivedEvent(**event) for event in entry.pop("events"))
        request = ReceivedRequest(**entry | {"events": events, "body": entry["body"].encode()})
        self._transaction_ids.update(event.transaction_id for event in events if event.status == PROCESSED)
        self._count(request)

    def _count(self, request: ReceivedRequest) -> None:
        self._requests.append(request)
        self._answers["none" if request.answer is None else str(request.answer)] += 1
        for event in request.events:
            of_workflow = self._by_workflow.setdefault(event.workflow, _no_events())
            for counts in (self._totals, of_workflow):
                counts["events"] += 1
                if event.status != PROCESSED:
                    counts["refused"] += 1
                elif event.duplicate:
                    counts["duplicates"] += 1
                else:
                    counts["delivered"] += 1
                    counts["recipients"] += event.recipients


def _no_events() -> dict[str, int]:
    return {"events": 0, "delivered": 0, "recipients": 0, "duplicates": 0, "refused": 0}
