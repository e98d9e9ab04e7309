"""What a listener says of itself, read from its live objects."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from listener.observable import Observable
from shared.health.observations import EnterpriseObservation, ListenerObservation, SubscriptionState
from shared.ports import FeedState
from shared.shards import shard_of

MOST_NAMED = 100
"""So many enterprises are named in a heartbeat; of more, those whose state is another than that of their shard."""

_WORST_FIRST = (FeedState.FAILED, FeedState.RECONNECTING, FeedState.CATCHING_UP, FeedState.SUBSCRIBED)


def observe(listener: Observable, *, serves_everybody: bool = False) -> ListenerObservation:
    """The listener as it is now, with each of its enterprises."""
    states = listener.states()
    shard_states = _states_of_shards(states, listener.shards)[0] if serves_everybody else {}
    return replace(_without_enterprises(listener, serves_everybody, shard_states), enterprises=_seen(listener, states))


def observe_briefly(listener: Observable, *, serves_everybody: bool = False) -> ListenerObservation:
    """The same for others to read, every few seconds: what it costs does not grow with the enterprises. Lists are named
    as a whole, as nobody else knows whom they have; whom everybody is, the database tells.
    """
    states = listener.states()
    if not serves_everybody or len(states) <= MOST_NAMED:
        return observe(listener, serves_everybody=serves_everybody)
    shard_states, deviating = _states_of_shards(states, listener.shards)
    brief = _without_enterprises(listener, serves_everybody, shard_states)
    longest = sorted(brief.unread_rules.items(), key=lambda unread: unread[1])[:MOST_NAMED]
    return replace(brief, enterprises=_seen(listener, deviating), unread_rules=dict[str, datetime](longest))


def _states_of_shards(
    states: Mapping[str, FeedState], heard: frozenset[int]
) -> tuple[dict[int, SubscriptionState], dict[str, FeedState]]:
    """Of each shard the state that most of its enterprises have, and those who have another; if these are too many to
    be named, of each shard the worst, and nobody.
    """
    counted: defaultdict[int, Counter[FeedState]] = defaultdict(Counter)
    for enterprise_id, state in states.items():
        counted[shard_of(enterprise_id)][state] += 1
    usual = {shard: counts.most_common(1)[0][0] for shard, counts in counted.items()}
    deviating = {each: state for each, state in states.items() if state is not usual[shard_of(each)]}
    if len(deviating) > MOST_NAMED:
        usual = {shard: min(counts, key=_WORST_FIRST.index) for shard, counts in counted.items()}
        deviating = {}
    if usual:
        # Nobody is known in these: whoever comes is heard as the others are.
        everywhere = Counter(usual.values()).most_common(1)[0][0]
        usual |= dict.fromkeys(heard - usual.keys(), everywhere)
    return {shard: SubscriptionState(state.value) for shard, state in sorted(usual.items())}, deviating


def _seen(listener: Observable, states: Mapping[str, FeedState]) -> dict[str, EnterpriseObservation]:
    counters = listener.counters.enterprises
    return {
        enterprise_id: EnterpriseObservation(
            state=SubscriptionState(state.value),
            last_event_at=counters[enterprise_id].last_event_at,
            last_sweep_at=counters[enterprise_id].last_sweep_at,
            recovered_by_sweep=counters[enterprise_id].recovered_by_sweep,
            events_seen=counters[enterprise_id].events_seen,
            workflows_started=counters[enterprise_id].workflows_started,
        )
        for enterprise_id, state in states.items()
    }


def _without_enterprises(
    listener: Observable, serves_everybody: bool, shard_states: Mapping[int, SubscriptionState]
) -> ListenerObservation:
    feed = listener.feed_status
    return ListenerObservation(
        enterprises={},
        shards=tuple(sorted(listener.shards)),
        serves_everybody=serves_everybody,
        shard_states=shard_states,
        temporal_available=listener.temporal_available,
        way=feed.way.value,
        last_proof_of_life=feed.last_proof_of_life,
        reconnects=feed.reconnects,
        last_error=feed.last_error,
        unread_rules=listener.unread_rules,
        flaws=tuple(f"{flaw.what}; mend it with: {flaw.mend}" for flaw in listener.flaws),
    )
