"""Whose row changes are heard, and by whom: what should be, and what is."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from shared.health import remedies
from shared.health.condition import Condition, Part, Problem
from shared.health.known import database_is_known, heartbeats_are_known
from shared.health.observations import (
    Component,
    ListenerObservation,
    LostComponent,
    Observations,
    SubscriptionState,
)
from shared.health.thresholds import Thresholds
from shared.health.wording import listed
from shared.shards import shard_of, shards_of

_FRESHEST_FIRST = (
    SubscriptionState.SUBSCRIBED,
    SubscriptionState.CATCHING_UP,
    SubscriptionState.RECONNECTING,
    SubscriptionState.FAILED,
    SubscriptionState.UNKNOWN,
    SubscriptionState.UNHEARD,
)


def enterprise_states(observations: Observations, now: datetime, limits: Thresholds) -> dict[str, SubscriptionState]:
    """The state of each that should be heard; of several listeners that serve it, the best: one is enough. Whom a
    listener of everybody does not name is as his shard is, and RECONNECTING while it does not know of him.
    """
    remembered = not database_is_known(observations.database, now, limits)
    served = observations.database.served
    states: dict[str, SubscriptionState] = {}
    for report in observations.components:
        if report.listener is None:
            continue
        unknown = remembered and report.component_id not in observations.own_ids
        for enterprise_id, named in _heard_by(report.listener, served):
            state = SubscriptionState.UNKNOWN if unknown else named
            states[enterprise_id] = min(states.get(enterprise_id, state), state, key=_FRESHEST_FIRST.index)
    for enterprise_id in expected(observations):
        states.setdefault(enterprise_id, SubscriptionState.UNKNOWN if remembered else SubscriptionState.UNHEARD)
    return dict(sorted(states.items()))


def _heard_by(listener: ListenerObservation, served: frozenset[str]) -> Iterator[tuple[str, SubscriptionState]]:
    for enterprise_id, seen in listener.enterprises.items():
        yield enterprise_id, seen.state
    if listener.serves_everybody:
        states = dict.fromkeys(listener.shards, SubscriptionState.RECONNECTING) | dict(listener.shard_states)
        for enterprise_id in served - listener.enterprises.keys():
            if state := states.get(shard_of(enterprise_id)):
                yield enterprise_id, state


def expected(observations: Observations) -> frozenset[str]:
    """The enterprises that settings name, that a lost listener heard, or that listeners of everybody are to hear;
    without those that are paused.
    """
    database = observations.database
    lost = {each for component in database.lost for each in component.enterprise_ids}
    return frozenset((*observations.expected, *lost, *database.served)) - database.paused


def of_subscriptions(
    observations: Observations, states: Mapping[str, SubscriptionState], limits: Thresholds
) -> Iterator[Problem]:
    if not observations.listeners:
        if heartbeats_are_known(observations):
            lost = _who(observations.database.lost, Component.LISTENER)
            reason = f"no listener reports{f': {lost}' if lost else ''}"
            yield Problem(Part.SUBSCRIPTIONS, Condition.UNHEALTHY, reason, remedies.NO_LISTENER)
        return
    yield from _of_unheard(observations, states, limits)
    served = {name: state for name, state in states.items() if state is not SubscriptionState.UNHEARD}
    yield from _of_unsubscribed(observations, served)


def _of_unheard(
    observations: Observations, states: Mapping[str, SubscriptionState], limits: Thresholds
) -> Iterator[Problem]:
    unheard = [name for name, state in states.items() if state is SubscriptionState.UNHEARD]
    if not unheard or not heartbeats_are_known(observations):
        return
    shards = set(shards_of(unheard))
    had = [
        each
        for each in observations.database.lost
        if not set(unheard).isdisjoint(each.enterprise_ids) or not shards.isdisjoint(each.shards)
    ]
    due = observations.database.due
    waits = [due[name].oldest_age_seconds for name in unheard if name in due and due[name].rows]
    for_long = max((*(each.silent_seconds for each in had), *waits), default=0.0) >= limits.unheard_unhealthy
    lost = _who(had, Component.LISTENER)
    reason = f"no listener hears {listed(unheard)}{f': {lost}' if lost else ''}"
    condition = Condition.UNHEALTHY if for_long or len(unheard) == len(states) else Condition.DEGRADED
    yield Problem(Part.SUBSCRIPTIONS, condition, reason, remedies.UNHEARD)


def _of_unsubscribed(observations: Observations, states: Mapping[str, SubscriptionState]) -> Iterator[Problem]:
    heard = (SubscriptionState.SUBSCRIBED, SubscriptionState.UNKNOWN)
    unheard = [enterprise_id for enterprise_id, state in states.items() if state not in heard]
    if not unheard:
        return
    flaws = sorted({flaw for listener in observations.listeners for flaw in listener.flaws})
    for flaw in flaws:
        yield Problem(Part.SUBSCRIPTIONS, Condition.DEGRADED, flaw)
    # While seats are only being taken anew, sweeps bring what the doorbell does not; attempts that fail for so long
    # that every seat counts as failed need a person.
    all_failed = all(state is SubscriptionState.FAILED for state in states.values())
    # Of a listener that hears all of its own the latest error is an old story.
    deaf = [
        listener
        for listener in observations.listeners
        if any(each.state is not SubscriptionState.SUBSCRIBED for each in listener.enterprises.values())
    ]
    errors = {listener.last_error for listener in deaf if listener.last_error}
    cause = f": {'; '.join(sorted(errors))}" if errors else ""
    reason = listed([f"{enterprise_id} {states[enterprise_id]}" for enterprise_id in unheard]) + cause
    yield Problem(Part.SUBSCRIPTIONS, Condition.UNHEALTHY if all_failed else Condition.DEGRADED, reason)


def _who(lost: Collection[LostComponent], component: Component) -> str:
    return "; ".join(told(each) for each in lost if each.component is component)


def told(lost: LostComponent) -> str:
    """Who it was, and since when nothing is heard of it."""
    process = f"process {lost.pid} on {lost.host}" if lost.pid else f"on {lost.host or 'an unknown host'}"
    return f"the {lost.component} ({process}) has not been heard of for {lost.silent_seconds:.0f} s"
