"""How many workers there should be, by rate and backlog (decision 0027). Pure: the same figures, the same answer.

A scaler that looks at the backlog alone sees none while there are workers enough, takes them away, and has to bring
them back. This one asks what comes in, adds what it takes to work off what waits, and is slow to take away.
"""

import math
from dataclasses import replace
from datetime import datetime

from functions.scaling.model import Decision, HoldReason, Limits, Memory, Observation, Verdict

SMOOTHING = 0.45
"""How much the latest rate counts against those before."""

UTILISATION = 0.8
"""How busy an instance should be at most."""

MARGIN = 1.1
"""One goes only if the others would do with so much more coming: a steady load is never quite steady."""

MISSED_AFTER_SECONDS = 180.0
"""After so long without a decision nobody knows whether it was quiet: three ticks."""

FROZEN_AFTER_SECONDS = 20.0
"""The age of a task that waits changes from reading to reading, unless what is read is not the queue."""

DEEP_BACKLOG_SECONDS = 240.0
"""A backlog of more than so much work for all there are lets the number double in one step."""

LEARNS_FROM_BACKLOG = 50
"""With so many tasks waiting no worker is idle: what they do then is what they can do."""

LEARNS_AFTER_SECONDS = 90.0
"""Rates are means of the last thirty seconds, and an instance takes as long to be there."""

LEARNS_AT_MOST_FACTOR = 4.0


def decide(seen: Observation, memory: Memory | None, limits: Limits, now: datetime) -> Decision:
    """What to do about these figures. `memory` is what the last decision left, None for the first."""
    at = now.timestamp()
    reason = _find_doubt(seen, memory, at)
    if reason is not None:
        return Decision(seen.current, Verdict.HOLD, seen.current, _held(seen, memory, at), reason)
    memory = _learn(seen, _recall(memory, at) or _first(seen, limits, at), limits, at)
    target = _target(seen, memory, limits)
    has_spare = seen.backlog == 0 and _target(seen, memory, limits, MARGIN) < seen.current
    memory = replace(
        memory,
        quiet_since=_since(memory.quiet_since, at, has_spare),
        idle_since=_since(memory.idle_since, at, _is_idle(seen)),
    )
    if limits.min_instances == 0 and _needs_nobody(seen, memory, limits, at):
        target = 0
    instances = _step(seen, target, memory, limits, at)
    if instances != seen.current:
        memory = replace(memory, instances=instances, counted_since=at)
    return Decision(instances, _verdict(instances, seen.current), target, memory)


def _find_doubt(seen: Observation, memory: Memory | None, at: float) -> HoldReason | None:
    """Why the figures are not to be believed."""
    if memory is not None and at < memory.decided_at:
        return HoldReason.STALE
    if memory is not None and seen.backlog_age_seconds > 0 and _figures(seen) == memory.figures:
        is_frozen = at - memory.figures_since >= FROZEN_AFTER_SECONDS
        if is_frozen:
            return HoldReason.STALE
    if seen.current > 0 and seen.pollers == 0:
        return HoldReason.NO_POLLERS
    return None


def _held(seen: Observation, memory: Memory | None, at: float) -> Memory | None:
    """What was known, less the peace: nobody knows what happened meanwhile."""
    if memory is None:
        return None
    return replace(_unsettled(_noted(seen, memory, at)), decided_at=min(memory.decided_at, at))


def _recall(memory: Memory | None, at: float) -> Memory | None:
    """What is remembered, less the peace if nobody has looked for long."""
    if memory is not None and at - memory.decided_at > MISSED_AFTER_SECONDS:
        return _unsettled(memory)
    return memory


def _unsettled(memory: Memory) -> Memory:
    return replace(memory, quiet_since=None, idle_since=None)


def _first(seen: Observation, limits: Limits, at: float) -> Memory:
    return Memory(
        decided_at=at,
        added_per_second=seen.added_per_second,
        tasks_per_second=limits.tasks_per_second,
        set_tasks_per_second=limits.tasks_per_second,
        instances=seen.current,
        counted_since=at,
        figures=_figures(seen),
        figures_since=at,
    )


def _learn(seen: Observation, memory: Memory, limits: Limits, at: float) -> Memory:
    """Smooth the rate; and what an instance does, if they all had enough to do."""
    memory = _noted(seen, memory, at)
    if memory.instances != seen.current:  # somebody else has changed it
        memory = replace(memory, instances=seen.current, counted_since=at)
    least, most = (limits.tasks_per_second * factor for factor in (1 / LEARNS_AT_MOST_FACTOR, LEARNS_AT_MOST_FACTOR))
    # An operator who sets another number has reasons: what was learned on the old one is forgotten.
    is_as_set = memory.set_tasks_per_second == limits.tasks_per_second
    does = memory.tasks_per_second if is_as_set else limits.tasks_per_second
    if seen.current > 0 and seen.backlog >= LEARNS_FROM_BACKLOG and at - memory.counted_since >= LEARNS_AFTER_SECONDS:
        does += SMOOTHING * (seen.dispatched_per_second / seen.current - does)
    return replace(
        memory,
        decided_at=at,
        added_per_second=memory.added_per_second + SMOOTHING * (seen.added_per_second - memory.added_per_second),
        tasks_per_second=min(max(does, least), most),
        set_tasks_per_second=limits.tasks_per_second,
    )


def _target(seen: Observation, memory: Memory, limits: Limits, margin: float = 1.0) -> int:
    """How many instances what comes, `margin` times, and what waits ask for; one at least."""
    offered = (margin * memory.added_per_second + seen.backlog / limits.drain_seconds) / memory.tasks_per_second
    target = max(math.ceil(offered / UTILISATION), math.ceil(offered + 0.5 * math.sqrt(offered)))
    if seen.backlog > 0 and seen.backlog_age_seconds > limits.backlog_age_seconds:
        target = max(target, seen.current + 1)
    return min(max(target, limits.min_instances, 1), limits.max_instances)


def _step(seen: Observation, target: int, memory: Memory, limits: Limits, at: float) -> int:
    """One step towards the target."""
    if target > seen.current:
        step = limits.step_up
        if seen.backlog > DEEP_BACKLOG_SECONDS * memory.tasks_per_second * seen.current:
            step = max(step, seen.current)
        return min(target, seen.current + step)
    if seen.current > limits.max_instances or (
        target < seen.current and (target == 0 or _has_lasted(memory.quiet_since, at, limits.quiet_seconds))
    ):
        return seen.current - 1
    return seen.current


def _needs_nobody(seen: Observation, memory: Memory, limits: Limits, at: float) -> bool:
    """Nothing comes, waits or runs, and that for as long as it takes to believe it if somebody is there."""
    return _is_idle(seen) and (seen.current == 0 or _has_lasted(memory.idle_since, at, limits.quiet_seconds))


def _is_idle(seen: Observation) -> bool:
    return seen.backlog == 0 and seen.running == 0 and seen.added_per_second == 0


def _since(since: float | None, at: float, holds: bool) -> float | None:
    """Since when it holds without a break."""
    if not holds:
        return None
    return at if since is None else since


def _has_lasted(since: float | None, at: float, seconds: float) -> bool:
    return since is not None and at - since >= seconds


def _noted(seen: Observation, memory: Memory, at: float) -> Memory:
    """With the figures, if they are others."""
    figures = _figures(seen)
    return memory if figures == memory.figures else replace(memory, figures=figures, figures_since=at)


def _figures(seen: Observation) -> str:
    return " ".join(
        f"{each.backlog} {each.backlog_age_seconds:.9f} {each.added_per_second:g} {each.dispatched_per_second:g}"
        for each in (seen.workflow, seen.activity)
    )


def _verdict(instances: int, current: int) -> Verdict:
    if instances == current:
        return Verdict.STEADY
    return Verdict.UP if instances > current else Verdict.DOWN
