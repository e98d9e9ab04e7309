"""The scalers: ours as it runs, and KEDA's formula with what Kubernetes' HPA (and Google's CREMA) make of it."""

import math
from collections import deque
from datetime import UTC, datetime
from typing import Any, Protocol

from functions.autoscale_settings import AutoscaleSettings
from functions.looks import MINUTE_SECONDS, MOST_LOOKS
from functions.scaling.decision import decide
from functions.scaling.model import Limits, Memory, Observation


class Scaler(Protocol):
    """Looks every so many seconds, and says how many instances there should be."""

    name: str
    every_seconds: float

    def count(self, at: float, seen: Observation) -> int: ...


class Ours:
    """The decision of the autoscale function with its settings' defaults, as often as Terraform has it look."""

    name = "xnovu: rate and backlog"
    every_seconds = MINUTE_SECONDS / MOST_LOOKS

    def __init__(self, least: int, most: int, tasks_per_second: float) -> None:
        self._memory: Memory | None = None
        self._limits = Limits(
            min_instances=least,
            max_instances=most,
            tasks_per_second=tasks_per_second,
            drain_seconds=_default("autoscale_drain_seconds"),
            quiet_seconds=_default("autoscale_quiet_seconds"),
            backlog_age_seconds=_default("autoscale_backlog_age_seconds"),
            step_up=_default("autoscale_step_up"),
        )

    def count(self, at: float, seen: Observation) -> int:
        decision = decide(seen, self._memory, self._limits, datetime.fromtimestamp(at, UTC))
        self._memory = decision.memory
        return decision.instances


def _default(name: str) -> Any:
    return AutoscaleSettings.model_fields[name].default


class Keda:
    """ceil(backlog / 5); fewer only if that was asked for during 300 s; at most 4 more, or twice as many, in 15 s."""

    name = "KEDA: ceil(backlog / 5)"
    every_seconds = 15.0

    def __init__(self, least: int, most: int, target: int = 5) -> None:
        self._least = least
        self._most = most
        self._target = target
        self._asked: deque[tuple[float, int]] = deque()

    def count(self, at: float, seen: Observation) -> int:
        wanted = min(max(math.ceil(seen.backlog / self._target), self._least), self._most)
        self._asked.append((at, wanted))
        while self._asked[0][0] < at - 300:
            self._asked.popleft()
        if wanted > seen.current:
            return min(wanted, seen.current + max(4, seen.current))
        return min(seen.current, max(asked for _, asked in self._asked))
