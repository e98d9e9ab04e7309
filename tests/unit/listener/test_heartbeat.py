"""What a listener says of thousands of enterprises: as much as of a hundred, and nothing that is better than it is."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from listener.counters import ListenerCounters
from listener.heartbeat import MOST_NAMED, observe, observe_briefly
from shared.health.assessment import Thresholds
from shared.health.hearing import enterprise_states
from shared.health.observations import ComponentReport, ListenerObservation, SubscriptionState
from shared.ports import FeedFlaw, FeedState, FeedStatus
from shared.shards import SHARDS, shard_of
from shared.supabase.component_reports import dump_report, load_reports
from tests.unit.health import builders
from tests.unit.health.builders import a_database, a_report, observed

MANY = [f"customer-{number}" for number in range(3000)]
NOW = datetime(2026, 3, 2, tzinfo=UTC)


class FakeListener:
    """The port Observable."""

    def __init__(self, states: Mapping[str, FeedState], shards: Collection[int] = range(SHARDS)) -> None:
        self._states = dict(states)
        self.counters = ListenerCounters()
        self.shards = frozenset(shards)
        self.temporal_available = True
        self.unread_rules = {each: NOW - timedelta(seconds=number) for number, each in enumerate(states)}
        self.flaws: tuple[FeedFlaw, ...] = ()
        self.feed_status = FeedStatus(states=self._states)

    def states(self) -> dict[str, FeedState]:
        return self._states


def all_subscribed(**others: FeedState) -> dict[str, FeedState]:
    return dict.fromkeys(MANY, FeedState.SUBSCRIBED) | {name.replace("_", "-"): state for name, state in others.items()}


def read(*seen: ListenerObservation, served: Collection[str] = MANY) -> dict[str, SubscriptionState]:
    """What health makes of these heartbeats, published and read."""
    reports = [a_report(f"listener-{number}", listener=each) for number, each in enumerate(seen)]
    stored = [dump_report(report) | {"reported_at": report.reported_at.isoformat()} for report in reports]
    loaded: list[ComponentReport] = load_reports(stored)
    assert len(loaded) == len(seen)
    return states_of(*loaded, served=served)


def states_of(*reports: ComponentReport, served: Collection[str] = MANY) -> dict[str, SubscriptionState]:
    seen = observed(*reports, database=a_database(served=frozenset(served)))
    return enterprise_states(seen, builders.NOW, Thresholds())


def test_thousands_that_are_heard_are_not_named_and_known_to_be_heard() -> None:
    brief = observe_briefly(FakeListener(all_subscribed()), serves_everybody=True)

    assert brief.enterprises == {}
    assert len(brief.unread_rules) == MOST_NAMED
    assert min(brief.unread_rules.values()) == NOW - timedelta(seconds=len(MANY) - 1)
    assert len(str(dump_report(a_report("l", listener=brief)))) < 10_000
    assert read(brief) == dict.fromkeys(sorted(MANY), SubscriptionState.SUBSCRIBED)


def test_those_in_trouble_are_named() -> None:
    states = all_subscribed(customer_7=FeedState.RECONNECTING, customer_8=FeedState.CATCHING_UP)

    brief = observe_briefly(FakeListener(states), serves_everybody=True)

    assert set(brief.enterprises) == {"customer-7", "customer-8"}
    assert {each: state for each, state in read(brief).items() if state is not SubscriptionState.SUBSCRIBED} == {
        "customer-7": SubscriptionState.RECONNECTING,
        "customer-8": SubscriptionState.CATCHING_UP,
    }


def test_of_too_many_in_trouble_nobody_is_said_to_be_better_than_he_is() -> None:
    in_trouble = dict.fromkeys(MANY[: MOST_NAMED + 1], FeedState.RECONNECTING)

    brief = observe_briefly(FakeListener(all_subscribed() | in_trouble), serves_everybody=True)

    states = read(brief)
    assert brief.enterprises == {}
    assert {states[each] for each in in_trouble} == {SubscriptionState.RECONNECTING}


@pytest.mark.parametrize("serves_everybody", [True, False])
def test_few_are_named_with_what_was_seen_of_them(serves_everybody: bool) -> None:
    few = dict.fromkeys(MANY[:MOST_NAMED], FeedState.SUBSCRIBED)
    listener = FakeListener(few)

    assert observe_briefly(listener, serves_everybody=serves_everybody) == observe(
        listener, serves_everybody=serves_everybody
    )
    assert set(observe(listener).enterprises) == set(few)


def test_a_list_is_named_however_long_it_is_as_nobody_else_has_it() -> None:
    brief = observe_briefly(FakeListener(all_subscribed()))

    assert set(brief.enterprises) == set(MANY)
    assert read(brief, served=()) == dict.fromkeys(sorted(MANY), SubscriptionState.SUBSCRIBED)


def test_whom_nobody_hears_is_known_by_the_database() -> None:
    half = [each for each in MANY if shard_of(each) < 8]
    brief = observe_briefly(
        FakeListener(dict.fromkeys(half, FeedState.SUBSCRIBED), shards=range(8)), serves_everybody=True
    )

    states = read(brief)

    assert {each for each, state in states.items() if state is SubscriptionState.UNHEARD} == set(MANY) - set(half)


def test_what_one_listener_does_not_hear_another_does() -> None:
    broken = observe_briefly(FakeListener(dict.fromkeys(MANY, FeedState.FAILED)), serves_everybody=True)
    named = observe_briefly(FakeListener(all_subscribed(customer_7=FeedState.FAILED)), serves_everybody=True)
    well = observe_briefly(FakeListener(all_subscribed()), serves_everybody=True)

    assert read(broken, named)["customer-7"] is SubscriptionState.FAILED
    assert set(read(broken, named, well).values()) == {SubscriptionState.SUBSCRIBED}


def test_who_has_come_into_a_shard_where_nobody_was_is_heard_as_others_are() -> None:
    states = {each: FeedState.SUBSCRIBED for each in MANY if shard_of(each) != 3}
    newcomer = next(each for each in MANY if shard_of(each) == 3)

    brief = observe_briefly(FakeListener(states), serves_everybody=True)

    assert read(brief)[newcomer] is SubscriptionState.SUBSCRIBED


def test_before_a_listener_knows_anybody_nobody_is_said_to_be_heard() -> None:
    brief = observe_briefly(FakeListener({}), serves_everybody=True)

    assert set(read(brief).values()) == {SubscriptionState.RECONNECTING}


def test_beside_a_listener_of_an_earlier_release_which_names_everybody_both_are_read() -> None:
    old = dump_report(a_report("old", listener=observe(FakeListener(all_subscribed()))))
    for member in ("serves_everybody", "shard_states"):
        del old["listener"][member]
    new = a_report(
        "new", listener=observe_briefly(FakeListener(dict.fromkeys(MANY, FeedState.FAILED)), serves_everybody=True)
    )

    reports = load_reports([old, dump_report(new)])

    assert set(states_of(*reports).values()) == {SubscriptionState.SUBSCRIBED}


def test_members_that_a_release_does_not_know_yet_do_not_make_a_heartbeat_unreadable() -> None:
    report = dump_report(a_report("newer", listener=observe(FakeListener({"acme": FeedState.SUBSCRIBED}))))
    report["listener"]["of_the_future"] = {"1": "x"}

    [read_again] = load_reports([report])

    assert read_again.listener is not None
    assert set(read_again.listener.enterprises) == {"acme"}
