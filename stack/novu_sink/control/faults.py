"""Faults on request: what the sink does wrong, when, and how often."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _RequestFault(_Fault):
    """Befalls the next `requests` requests (null: until cleared) to paths that begin with `path`, or only those with
    an event for `workflow`."""

    requests: int | None = Field(default=1, ge=1)
    workflow: str | None = None
    path: str = "/v1/events"


class RateLimited(_RequestFault):
    """429. `retry_after` goes out as it is: seconds or an HTTP date."""

    kind: Literal["rate_limited"]
    retry_after: str | None = "1"


class ServerError(_RequestFault):
    """A 5xx; with `accepted`, only after the events were taken."""

    kind: Literal["server_error"]
    status: int = Field(500, ge=500, le=599)
    retry_after: str | None = None
    accepted: bool = False


class Unauthorized(_RequestFault):
    """401 although the key is right."""

    kind: Literal["unauthorized"]


class AcceptThenHang(_RequestFault):
    """The events are taken, and the caller waits for an answer until it gives up."""

    kind: Literal["accept_then_hang"]


class ResetConnection(_RequestFault):
    """The events are taken, and the connection is reset instead of an answer."""

    kind: Literal["reset_connection"]


class UnreadableAnswer(_RequestFault):
    """The answer has this status and body; the events are taken all the same, or with `accepted` false are not."""

    kind: Literal["unreadable_answer"]
    accepted: bool = True
    status: int = Field(201, ge=200, le=599)
    body: str = "<html>upstream is confused</html>"


class Latency(_RequestFault):
    """Answers come later."""

    kind: Literal["latency"]
    milliseconds: int = Field(ge=0, le=600_000)


class EventStatus(_Fault):
    """201, but with this status for the events of a workflow or of a subscriber, until cleared."""

    kind: Literal["event_status"]
    status: str = "error"
    error: list[str] | None = None
    workflow: str | None = None
    subscriber: str | None = None

    @model_validator(mode="after")
    def _concerns_something(self) -> EventStatus:
        if self.workflow is None and self.subscriber is None:
            raise ValueError("name a workflow or a subscriber")
        return self

    def concerns(self, workflow: str, recipients: Collection[str]) -> bool:
        if self.workflow is not None and self.workflow != workflow:
            return False
        return self.subscriber is None or self.subscriber in recipients


AnswerFault = RateLimited | ServerError | Unauthorized | AcceptThenHang | ResetConnection | UnreadableAnswer
Fault = Annotated[AnswerFault | Latency | EventStatus, Field(discriminator="kind")]

FAULTS: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])


class Faults:
    """Faults still to come. Those of one kind of effect wait in line: 429, then 500, then a hang."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, faults: list[Fault]) -> None:
        self._waiting.extend(faults)

    def clear(self) -> None:
        self._waiting.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """What is still to come, as it would be set."""
        return [fault.model_dump() for fault in self._waiting]

    def take_answer(self, path: str, workflows: Collection[str]) -> AnswerFault | None:
        """The fault that befalls this request's answer; it counts as used."""
        for fault in self._concerning(path, workflows):
            if not isinstance(fault, Latency):
                self._use(fault)
                return fault
        return None

    def take_latency_seconds(self, path: str, workflows: Collection[str]) -> float:
        """How long this request waits; the latency counts as used."""
        for fault in self._concerning(path, workflows):
            if isinstance(fault, Latency):
                self._use(fault)
                return fault.milliseconds / 1000
        return 0.0

    def event_status(self, workflow: str, recipients: Collection[str]) -> EventStatus | None:
        """The status that this event is answered with instead of `processed`."""
        for fault in self._waiting:
            if isinstance(fault, EventStatus) and fault.concerns(workflow, recipients):
                return fault
        return None

    def _concerning(self, path: str, workflows: Collection[str]) -> Iterator[AnswerFault | Latency]:
        for fault in self._waiting:
            if isinstance(fault, EventStatus) or not path.startswith(fault.path):
                continue
            if fault.workflow is None or fault.workflow in workflows:
                yield fault

    def _use(self, fault: AnswerFault | Latency) -> None:
        if fault.requests is None:
            return
        fault.requests -= 1
        if fault.requests == 0:
            self._waiting = [other for other in self._waiting if other is not fault]
