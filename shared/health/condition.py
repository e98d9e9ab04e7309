"""How well something is, and what says so."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """HEALTHY; DEGRADED: notifications still go out, late or not all; UNHEALTHY: they do not, or nobody knows."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_SEVERITY = {Condition.HEALTHY: 0, Condition.DEGRADED: 1, Condition.UNHEALTHY: 2}


class Part(StrEnum):
    """What can be unwell. The first four have their place among `components` in /health."""

    SUBSCRIPTIONS = "subscriptions"
    RULE_ENGINE = "ruleEngine"
    QUEUE = "queue"
    TEMPORAL = "temporal"
    SUPABASE = "supabase"
    NOVU = "novu"
    PROCESSES = "processes"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be, in words for an operator: no payload, no recipient, no secret.

    `do` is what to do about it; `because_of` the part whose trouble brings it about, None for a cause.
    """

    part: Part
    condition: Condition
    reason: str
    do: str = ""
    because_of: Part | None = None


def worst(conditions: Iterable[Condition]) -> Condition:
    """The most severe of them; HEALTHY without any."""
    return max(conditions, key=_SEVERITY.__getitem__, default=Condition.HEALTHY)
