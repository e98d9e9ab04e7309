"""What the daemon says of its own parts, before and after they run."""

from cli.health_server.live import LiveComponents
from shared.health.assessment import is_ready
from shared.health.observations import Component, ListenerObservation, SubscriptionState
from shared.heartbeat import Reporter
from shared.process_usage import ProcessUsage
from tests.unit.health.builders import NOW, POLLING, a_listener, observed


def test_before_they_run_enterprises_are_reconnecting_and_nobody_polls() -> None:
    live = LiveComponents(["acme"], ProcessUsage("test"))

    seen = observed(*live.reports())

    assert not is_ready(seen, NOW)
    assert [listener.enterprises["acme"].state for listener in seen.listeners] == [SubscriptionState.RECONNECTING]
    assert [worker.polling for worker in seen.workers] == [False]


async def test_what_runs_is_asked_each_time_until_it_ends() -> None:
    process = ProcessUsage("test")
    live = LiveComponents(["acme"], process)
    states = iter([SubscriptionState.CATCHING_UP, SubscriptionState.FAILED])

    def observe_listener() -> ListenerObservation:
        listener = a_listener(next(states)).listener
        assert listener is not None
        return listener

    listener, worker = Reporter(process, observe_listener), Reporter(process, lambda: POLLING)

    async with live.reporting(listener), live.reporting(worker):
        first, second = live.reports(), live.reports()
        told = [report.component_id for report in first]
    ended = observed(*live.reports())

    assert [report.component for report in first] == [Component.LISTENER, Component.WORKER]
    assert is_ready(observed(*first), NOW)
    assert not is_ready(observed(*second), NOW)
    assert first[0].component_id == second[0].component_id != first[1].component_id
    assert told == live.component_ids == [listener.component_id, worker.component_id]
    assert not is_ready(ended, NOW)
    assert live.heartbeats() == []
