"""What a listener says of itself, read from its live objects."""

from listener.observable import Observable
from shared.health.observations import EnterpriseObservation, ListenerObservation, SubscriptionState


def observe(listener: Observable) -> ListenerObservation:
    """The listener as it is now."""
    counters = listener.counters.enterprises
    feed = listener.feed_status
    return ListenerObservation(
        enterprises={
            enterprise_id: EnterpriseObservation(
                state=SubscriptionState(state.value),
                last_event_at=counters[enterprise_id].last_event_at,
                last_sweep_at=counters[enterprise_id].last_sweep_at,
                recovered_by_sweep=counters[enterprise_id].recovered_by_sweep,
                events_seen=counters[enterprise_id].events_seen,
                workflows_started=counters[enterprise_id].workflows_started,
            )
            for enterprise_id, state in listener.states().items()
        },
        shards=tuple(sorted(listener.shards)),
        temporal_available=listener.temporal_available,
        way=feed.way.value,
        last_proof_of_life=feed.last_proof_of_life,
        reconnects=feed.reconnects,
        last_error=feed.last_error,
        unread_rules=listener.unread_rules,
        flaws=tuple(f"{flaw.what}; mend it with: {flaw.mend}" for flaw in listener.flaws),
    )
