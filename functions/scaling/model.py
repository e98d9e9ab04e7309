"""What a decision is made of: figures, limits, memory. Plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self


class Verdict(StrEnum):
    """What a tick does to the number of instances."""

    UP = "up"
    DOWN = "down"
    STEADY = "steady"
    HOLD = "hold"


class HoldReason(StrEnum):
    """Why the number was left alone although nobody knows that it is right."""

    STALE = "stale"
    NO_POLLERS = "no_pollers"
    TEMPORAL = "temporal"
    CLOUD_RUN = "cloud_run"
    POOL_CHANGED = "pool_changed"
    DATABASE = "database"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One type of task of the queue. Tasks handed to a waiting worker at once count as added and dispatched too."""

    backlog: int
    backlog_age_seconds: float
    added_per_second: float
    dispatched_per_second: float
    pollers: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What was read for one tick, just now. `current` is how many instances the pool is to have; `running` counts
    deliveries and retractions that have begun and not ended.
    """

    current: int
    workflow: QueueFigures
    activity: QueueFigures
    running: int

    @property
    def backlog(self) -> int:
        """Tasks of both types that wait."""
        return self.workflow.backlog + self.activity.backlog

    @property
    def backlog_age_seconds(self) -> float:
        """How long the oldest of them has waited."""
        return max(self.workflow.backlog_age_seconds, self.activity.backlog_age_seconds)

    @property
    def added_per_second(self) -> float:
        """Tasks of both types."""
        return self.workflow.added_per_second + self.activity.added_per_second

    @property
    def dispatched_per_second(self) -> float:
        """Tasks of both types."""
        return self.workflow.dispatched_per_second + self.activity.dispatched_per_second

    @property
    def pollers(self) -> int:
        """Those of the type that has more: a worker polls for both."""
        return max(self.workflow.pollers, self.activity.pollers)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator sets (docs/configuration.md, AUTOSCALE_*)."""

    min_instances: int
    max_instances: int
    tasks_per_second: float
    drain_seconds: float
    quiet_seconds: float
    backlog_age_seconds: float
    step_up: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What one tick leaves for the next. Instants are Unix seconds by the database's clock.

    `added_per_second` is smoothed. `tasks_per_second` is what an instance was seen to do, beginning with what was set
    (`set_tasks_per_second`). `counted_since`: the count has been `instances` ever since. `quiet_since`: fewer
    instances than there are would have done ever since, and nothing waited; `idle_since`: nothing came, waited or
    ran. `figures` tells figures apart that were read twice, the first time at `figures_since`.
    """

    decided_at: float
    added_per_second: float
    tasks_per_second: float
    set_tasks_per_second: float
    instances: int
    counted_since: float
    quiet_since: float | None = None
    idle_since: float | None = None
    figures: str = ""
    figures_since: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Self | None:
        """As it was stored; None if nothing was, or by a release that remembered other things."""
        if stored is None or set(stored) != {field.name for field in fields(cls)}:
            return None
        return cls(**stored)


@dataclass(frozen=True, slots=True)
class Decision:
    """How many instances there should be, why, and what to remember.

    `target` is what the figures ask for, before steps and patience; of a hold, the number there is.
    """

    instances: int
    verdict: Verdict
    target: int
    memory: Memory | None
    reason: HoldReason | None = None
