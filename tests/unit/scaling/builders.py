"""Figures and limits; a test states only what matters to it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from functions.scaling.decision import decide
from functions.scaling.model import Decision, Limits, Memory, Observation, QueueFigures

TICK_SECONDS = 60.0
BEGINNING = 1_800_000_000.0

LIMITS = Limits(
    min_instances=0,
    max_instances=20,
    tasks_per_second=2.0,
    drain_seconds=60.0,
    quiet_seconds=300.0,
    backlog_age_seconds=60.0,
    step_up=4,
)

NO_ACTIVITIES = QueueFigures(0, 0.0, 0.0, 0.0, 0)


def limits(**changes: Any) -> Limits:
    return replace(LIMITS, **changes)


def seen(
    *,
    current: int,
    backlog: int = 0,
    age: float = 0.0,
    added: float = 0.0,
    dispatched: float | None = None,
    pollers: int | None = None,
    running: int = 0,
) -> Observation:
    """All tasks are workflow tasks; there are as many pollers as instances, and all that comes is dispatched."""
    workflow = QueueFigures(
        backlog, age, added, added if dispatched is None else dispatched, current if pollers is None else pollers
    )
    return Observation(current=current, workflow=workflow, activity=NO_ACTIVITIES, running=running)


def at(seconds: float) -> datetime:
    """So many seconds after the beginning."""
    return datetime.fromtimestamp(BEGINNING + seconds, UTC)


class Ticks:
    """Decisions one after another, each remembering the last; what they decide is done at once."""

    def __init__(self, current: int, limits: Limits = LIMITS, *, every: float = TICK_SECONDS) -> None:
        self.current = current
        self.limits = limits
        self.memory: Memory | None = None
        self.seconds = 0.0
        self._every = every

    def tick(self, **figures: Any) -> Decision:
        """One tick later, with these figures."""
        self.seconds += self._every
        decision = decide(seen(**{"current": self.current, **figures}), self.memory, self.limits, at(self.seconds))
        self.memory = decision.memory
        self.current = decision.instances
        return decision

    def repeat(self, ticks: int, **figures: Any) -> list[int]:
        """The number after each of so many ticks."""
        return [self.tick(**figures).instances for _ in range(ticks)]
