"""A queue and the instances that work it off, by the event: what a scaler sees, and what its counts lead to."""

import heapq
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from functions.scaling.model import Observation, QueueFigures
from tests.benchmarks.simulate.loads import SECONDS, Load, Task
from tests.benchmarks.simulate.scalers import Scaler

COLD_START_SECONDS = 20.0
RATE_WINDOW_SECONDS = 30.0
"""Temporal's server gives means of so long."""

_NOBODY = QueueFigures(0, 0.0, 0.0, 0.0, 0)


@dataclass(slots=True)
class Run:
    """What came of it. A line of `counted` for each look: when, how many instances, how many tasks waited."""

    scaler: str
    counted: list[tuple[float, int, int]] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    changes: int = 0
    instance_seconds: float = 0.0


@dataclass(slots=True)
class _Instance:
    ready_at: float
    is_busy: bool = False
    is_leaving: bool = False


class Fleet:
    """One queue; an instance works on one task at a time, and one that leaves finishes what it has."""

    def __init__(self, load: Load, scaler: Scaler) -> None:
        self._load = load
        self._scaler = scaler
        self._chance = random.Random(0)
        self._events: list[tuple[float, int, str, _Instance | None]] = []
        self._order = 0
        self._waiting: deque[Task] = deque()
        self._instances: list[_Instance] = []
        self._added: deque[float] = deque()
        self._dispatched: deque[float] = deque()
        self._run = Run(scaler.name)

    def run(self) -> Run:
        """Live through the load's four hours."""
        self._want(self._load.least, at=-COLD_START_SECONDS)
        self._at(0.0, "look")
        arrivals: Iterator[Task] = iter(self._load.tasks)
        arriving = next(arrivals, None)
        while True:
            if arriving is not None and (not self._events or arriving.at <= self._events[0][0]):
                self._waiting.append(arriving)
                self._added.append(arriving.at)
                self._hand_out(arriving.at)
                arriving = next(arrivals, None)
                continue
            at, _, what, instance = heapq.heappop(self._events)
            if at > SECONDS:
                break
            self._happen(at, what, instance)
        for instance in self._instances:
            self._run.instance_seconds += SECONDS - (instance.ready_at - COLD_START_SECONDS)
        return self._run

    def _happen(self, at: float, what: str, instance: _Instance | None) -> None:
        if what == "look":
            self._look(at)
        elif what == "done" and instance is not None:
            instance.is_busy = False
            if instance.is_leaving:
                self._gone(instance, at)
        self._hand_out(at)

    def _look(self, at: float) -> None:
        staying = [instance for instance in self._instances if not instance.is_leaving]
        count = self._scaler.count(at, self._seen(at, staying))
        self._run.changes += count != len(staying)
        self._run.counted.append((at, count, len(self._waiting)))
        self._want(count, at)
        self._at(at + self._scaler.every_seconds, "look")

    def _seen(self, at: float, staying: list[_Instance]) -> Observation:
        for instants in (self._added, self._dispatched):
            while instants and instants[0] < at - RATE_WINDOW_SECONDS:
                instants.popleft()
        queue = QueueFigures(
            backlog=len(self._waiting),
            backlog_age_seconds=at - self._waiting[0].at if self._waiting else 0.0,
            added_per_second=len(self._added) / RATE_WINDOW_SECONDS,
            dispatched_per_second=len(self._dispatched) / RATE_WINDOW_SECONDS,
            pollers=sum(instance.ready_at <= at for instance in self._instances),
        )
        running = len(self._waiting) + sum(instance.is_busy for instance in self._instances)
        return Observation(current=len(staying), workflow=queue, activity=_NOBODY, running=running)

    def _want(self, count: int, at: float) -> None:
        staying = [instance for instance in self._instances if not instance.is_leaving]
        for _ in range(count - len(staying)):
            instance = _Instance(at + COLD_START_SECONDS)
            self._instances.append(instance)
            self._at(instance.ready_at, "ready", instance)
        for instance in self._chance.sample(staying, max(0, len(staying) - count)):
            instance.is_leaving = True
            if not instance.is_busy:
                self._gone(instance, at)

    def _gone(self, instance: _Instance, at: float) -> None:
        self._instances.remove(instance)
        self._run.instance_seconds += at - (instance.ready_at - COLD_START_SECONDS)

    def _hand_out(self, at: float) -> None:
        for instance in self._instances:
            if not self._waiting:
                return
            if not instance.is_busy and not instance.is_leaving and instance.ready_at <= at:
                task = self._waiting.popleft()
                instance.is_busy = True
                self._dispatched.append(at)
                self._run.waits.append((task.at, at - task.at))
                self._at(at + task.work, "done", instance)

    def _at(self, at: float, what: str, instance: _Instance | None = None) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, what, instance))
