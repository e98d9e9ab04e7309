"""Every way in which a subscription was seen to fall silent, and that the feed comes back from it, saying so."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast

import pytest
from websockets.exceptions import ConnectionClosed

from listener.doorbell import reader_callbacks
from listener.doorbell.feed import DoorbellFeed
from listener.doorbell.timing import FeedTiming
from listener.hearing import feed_for
from shared.ports import (
    ChangeType,
    FeedEvent,
    FeedGap,
    FeedLate,
    FeedState,
    NotificationStore,
    RowChange,
    RowRetracted,
    RowScheduled,
    RuleChanged,
)
from shared.shards import shard_of
from tests.unit.listener.doorbell.phoenix_server import PhoenixServer, SingingStore, phoenix_server
from tests.unit.listener.fakes import eventually

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")  # the library's own use of it

IMPATIENT = FeedTiming(
    reconnect_delay=0.01,
    reconnect_cap=0.05,
    handshake_timeout=4,
    confirm_timeout=4,
    probe_every=0.1,
    probe_timeout=4,
    canary_every=0.1,
    canary_timeout=10,
    canary_late=0.2,
    canary_again=0.05,
    silence_limit=10,
    seat_probe_every=0.1,
    close_timeout=3,
)
DOUBTFUL = replace(IMPATIENT, confirm_timeout=0.6, probe_timeout=0.6, canary_timeout=0.6, silence_limit=1.2)
"""For tests of doubts: within what `eventually` waits."""
ENTERPRISES = ["ent1", "ent2"]


@dataclass
class Bench:
    server: PhoenixServer
    store: SingingStore
    feed: DoorbellFeed
    changes: list[RowChange] = field(default_factory=list)
    gaps: list[FeedGap] = field(default_factory=list)
    others: list[FeedEvent] = field(default_factory=list)

    async def subscribed(self, *, within_seconds: float = 15.0) -> None:
        """Wait until all are subscribed and told to catch up."""
        wanted = set(self.feed.status.states)
        await eventually(
            lambda: (
                all(self.feed.status.states[each] is FeedState.SUBSCRIBED for each in wanted)
                and wanted <= self.told_to_catch_up("changes flow")
            ),
            within_seconds=within_seconds,
        )

    def told_to_catch_up(self, reason: str = "") -> set[str]:
        return {each for gap in self.gaps if gap.reason.startswith(reason) for each in gap.enterprise_ids}

    async def rings(self, enterprise_id: str, notification_id: int) -> None:
        """Wait until a ring on the current seat comes out of the feed."""
        await self.server.send_row(self.server.seats[-1], a_ring(an_entry(enterprise_id, notification_id)))
        await eventually(lambda: notification_id in [change.notification_id for change in self.changes])


def an_entry(enterprise_id: str, *due: int, **more: Any) -> dict[str, Any]:
    return {"enterprise_id": enterprise_id, "due": [[3, list(due)]] if due else [], **more}


def a_ring(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"op": "INSERT", "at": "2026-11-25T11:59:59.9+00:00", "of": list(entries), "more": False, **more}


@asynccontextmanager
async def feeding(
    *, timing: FeedTiming = IMPATIENT, max_retries: int = 10, enterprise_ids: Sequence[str] = ENTERPRISES
) -> AsyncIterator[Bench]:
    async with phoenix_server() as server:
        store = SingingStore(server)
        feed = feed_for(
            "postgres_changes",
            server.url,
            lambda: "key",
            enterprise_ids,
            cast(NotificationStore, store),
            max_retries=max_retries,
            timing=timing,
        )
        bench = Bench(server, store, feed)

        async def consume() -> None:
            async for event in feed.events():
                match event:
                    case RowChange():
                        bench.changes.append(event)
                    case FeedGap():
                        bench.gaps.append(event)
                    case _:
                        bench.others.append(event)

        consuming = asyncio.create_task(consume())
        try:
            yield bench
        finally:
            await feed.close()
            await consuming


async def test_all_enterprises_share_one_seat_which_asks_for_their_shards_and_for_its_own_beats() -> None:
    async with feeding() as bench:
        await bench.subscribed()
        await bench.rings("ent1", 1)
        await bench.rings("ent2", 2)

        assert bench.server.handshakes == len(bench.server.joins) == 1
        shards = ",".join(map(str, sorted({shard_of("ent1"), shard_of("ent2")})))
        entries = bench.server.seats[0].changes
        assert [(entry["table"], entry["event"], entry["filter"]) for entry in entries] == [
            ("doorbell", "INSERT", f"shard=in.({shards})"),
            ("doorbell", "INSERT", "listener_id=eq.listener-1"),
        ]
    assert [(change.enterprise_id, change.change, change.committed_at) for change in bench.changes] == [
        ("ent1", ChangeType.INSERT, datetime(2026, 11, 25, 12, tzinfo=UTC)),
        ("ent2", ChangeType.INSERT, datetime(2026, 11, 25, 12, tzinfo=UTC)),
    ]


async def test_rules_scheduled_rows_and_retracted_rows_ring_too_and_those_of_others_do_not() -> None:
    async with feeding() as bench:
        await bench.subscribed()
        later = datetime(2027, 1, 1, tzinfo=UTC)

        await bench.server.send_row(
            bench.server.seats[-1],
            a_ring(
                an_entry("somebody else", 4, rules=True, more=True),
                an_entry("ent1", scheduled_for=later.isoformat(), retracted=[2], rules=True),
                an_entry("ent2", more=True),
            ),
        )

        await eventually(lambda: len(bench.others) == 4)
        assert RowScheduled("ent1", later) in bench.others
        assert RowRetracted("ent1", 2) in bench.others
        assert RuleChanged("ent1") in bench.others
        assert FeedLate(frozenset({"ent2"})) in bench.others
        assert bench.changes == []


async def test_a_ring_for_more_enterprises_than_it_names_has_all_tables_read() -> None:
    async with feeding() as bench:
        await bench.subscribed()

        await bench.server.send_row(bench.server.seats[-1], a_ring(more=True))

        await eventually(lambda: FeedLate(frozenset(ENTERPRISES)) in bench.others)


async def test_a_joined_channel_is_not_subscribed_before_the_server_says_that_changes_flow() -> None:
    async with feeding(timing=FeedTiming()) as bench:
        bench.server.confirm = False
        await eventually(lambda: len(bench.server.joins) == 1)
        assert set(bench.feed.status.states.values()) == {FeedState.RECONNECTING}
        assert bench.gaps == []

        for join in bench.server.joins:
            await bench.server.send_system(join, "ok", "Subscribed to PostgreSQL")

        await bench.subscribed()


async def test_a_second_confirmation_means_that_changes_may_have_been_missed() -> None:
    async with feeding() as bench:
        await bench.subscribed()
        bench.gaps.clear()

        await bench.server.send_system(bench.server.seats[-1], "ok", "Subscribed to PostgreSQL")

        await eventually(lambda: bench.told_to_catch_up("subscribed") == set(ENTERPRISES))


async def lose_by_close(server: PhoenixServer) -> None:
    seat = server.seats[-1]
    await server.send(seat, "phx_close", {}, seat.ref)


async def lose_by_stale_close(server: PhoenixServer) -> None:
    """It names an older join; the library closes the new channel all the same."""
    await server.send(server.seats[-1], "phx_close", {}, "0")


async def lose_by_error(server: PhoenixServer) -> None:
    seat = server.seats[-1]
    await server.send(seat, "phx_error", {}, seat.ref)


async def lose_by_system_error(server: PhoenixServer) -> None:
    await server.send_system(server.seats[-1], "error", "Unable to subscribe to changes")


async def lose_by_token_expiry(server: PhoenixServer) -> None:
    seat = server.seats[-1]
    await server.send_system(seat, "error", "Token has expired 0 seconds ago", extension="system")
    await server.send(seat, "phx_close", {}, seat.ref)


@pytest.mark.parametrize(
    "lose", [lose_by_close, lose_by_stale_close, lose_by_error, lose_by_system_error, lose_by_token_expiry]
)
async def test_a_lost_seat_costs_the_socket_and_is_taken_anew_under_another_name(lose: Any) -> None:
    async with feeding() as bench:
        await bench.subscribed()
        bench.gaps.clear()

        await lose(bench.server)

        await eventually(lambda: bench.server.handshakes == 2)
        await bench.subscribed()
        await bench.rings("ent1", 1)
        await bench.rings("ent2", 2)
        first, second = bench.server.seats
        assert first.topic != second.topic
        assert first.topic in bench.server.left, "the server must not count the old seat"


async def test_a_seat_that_the_server_forgot_is_noticed_and_taken_anew() -> None:
    async with feeding() as bench:
        await bench.subscribed()

        bench.server.forget_topics = True
        await eventually(lambda: len(bench.server.seats) >= 2)
        bench.server.forget_topics = False

        await bench.subscribed()
        await bench.rings("ent1", 1)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012])
async def test_a_closed_socket_is_rebuilt(code: int) -> None:
    async with feeding() as bench:
        await bench.subscribed()
        bench.gaps.clear()

        await bench.server.joins[0].connection.close(code)

        await eventually(lambda: bench.server.handshakes == 2)
        await bench.subscribed()
        await bench.rings("ent1", 1)


async def test_a_broken_connection_is_rebuilt() -> None:
    async with feeding() as bench:
        await bench.subscribed()
        bench.gaps.clear()

        bench.server.joins[0].connection.transport.abort()

        await eventually(lambda: bench.server.handshakes == 2)
        await bench.subscribed()


async def test_a_frame_above_the_limit_costs_the_socket_and_nothing_else() -> None:
    async with feeding() as bench:
        await bench.subscribed()
        bench.gaps.clear()

        await bench.server.send_row(bench.server.seats[-1], a_ring(), payload="x" * 1_100_000)

        await eventually(lambda: bench.server.handshakes == 2)
        await bench.subscribed()


async def test_a_peer_that_is_gone_without_a_word_is_noticed() -> None:
    async with feeding(timing=DOUBTFUL) as bench:
        await bench.subscribed()
        bench.gaps.clear()

        bench.server.frozen = True
        await eventually(lambda: bench.server.handshakes == 2)
        bench.server.frozen = False

        await bench.subscribed()
        assert bench.feed.status.last_error is not None


async def test_a_half_open_socket_is_noticed_within_fifteen_seconds_by_default() -> None:
    timing = FeedTiming()

    assert timing.probe_every + timing.probe_timeout < 15
    assert timing.probe_timeout > 6, "a refused join silences the whole socket for five to six seconds"


async def test_a_dead_reader_is_noticed() -> None:
    async with feeding(timing=DOUBTFUL) as bench:
        await bench.subscribed()
        bench.gaps.clear()

        for task in asyncio.all_tasks():
            if "AsyncRealtimeClient._listen" in repr(task.get_coro()):
                task.cancel()

        await eventually(lambda: bench.server.handshakes == 2)
        await bench.subscribed()
        await bench.rings("ent1", 1)


async def test_a_canary_that_does_not_come_back_costs_the_proof_and_then_the_socket() -> None:
    async with feeding(timing=DOUBTFUL) as bench:
        await bench.subscribed()
        bench.gaps.clear()

        bench.store.mute = True
        await eventually(lambda: set(bench.feed.status.states.values()) == {FeedState.RECONNECTING})
        assert bench.server.handshakes == 1
        await eventually(lambda: bench.told_to_catch_up() == set(ENTERPRISES))
        assert "no beat of the canary came back" in (bench.feed.status.last_error or "")
        await eventually(lambda: bench.server.handshakes == 2)
        bench.store.mute = False

        await bench.subscribed()


async def test_nobody_is_subscribed_while_no_beat_comes_back_whatever_the_server_says() -> None:
    async with feeding(timing=DOUBTFUL) as bench:
        bench.store.mute = True
        await eventually(lambda: len(bench.server.joins) >= 1)

        for _ in range(3):
            with suppress(ConnectionClosed):
                await bench.server.send_system(bench.server.seats[-1], "ok", "Subscribed to PostgreSQL")
            await bench.rings("ent1", len(bench.changes) + 1)
            assert set(bench.feed.status.states.values()) == {FeedState.RECONNECTING}
            assert bench.feed.status.last_proof_of_life is None

        bench.store.mute = False
        await bench.subscribed()
        assert bench.feed.status.last_proof_of_life is not None


async def test_other_changes_do_not_put_off_the_end_of_a_beat() -> None:
    async with feeding(timing=DOUBTFUL) as bench:
        await bench.subscribed()
        bench.store.mute = True

        async def keep_coming() -> None:
            for notification_id in itertools.count(1):
                with suppress(ConnectionClosed):
                    await bench.server.send_row(bench.server.seats[-1], a_ring(an_entry("ent1", notification_id)))
                await asyncio.sleep(0.02)

        coming = asyncio.create_task(keep_coming())
        try:
            await eventually(lambda: bench.feed.status.states["ent1"] is FeedState.RECONNECTING)
        finally:
            coming.cancel()


async def test_a_beat_that_is_missing_before_another_is_a_gap_and_the_socket_stays() -> None:
    async with feeding(timing=replace(IMPATIENT, canary_every=0.05)) as bench:
        await bench.subscribed()
        bench.gaps.clear()

        bench.store.swallow = 1

        await eventually(lambda: bench.told_to_catch_up() == set(ENTERPRISES))
        assert {gap.reason for gap in bench.gaps} == {"1 beats of the canary were lost"}
        assert set(bench.feed.status.states.values()) == {FeedState.SUBSCRIBED}
        assert bench.server.handshakes == 1


async def test_while_the_canary_is_late_the_tables_are_to_be_read_again_and_again() -> None:
    async with feeding(timing=replace(IMPATIENT, canary_timeout=60, canary_late=0.01)) as bench:
        await bench.subscribed()

        bench.store.mute = True
        await eventually(lambda: bench.others.count(FeedLate(frozenset(ENTERPRISES))) >= 3)
        bench.store.mute = False

        assert bench.server.handshakes == 1


async def test_joins_without_an_answer_are_tried_again() -> None:
    async with feeding(timing=DOUBTFUL) as bench:
        bench.server.answer_joins = False
        await eventually(lambda: len(bench.server.seats) >= 2)
        bench.server.answer_joins = True

        await bench.subscribed()


async def test_joins_without_a_confirmation_are_tried_again() -> None:
    async with feeding(timing=DOUBTFUL) as bench:
        bench.server.confirm = False
        await eventually(lambda: len(bench.server.seats) >= 2)
        assert FeedState.SUBSCRIBED not in bench.feed.status.states.values()
        bench.server.confirm = True

        await bench.subscribed()


async def test_refused_joins_end_in_failed_and_go_on() -> None:
    async with feeding(max_retries=3) as bench:
        bench.server.refuse_joins = "UnableToConnectToProject: none"
        await eventually(lambda: bench.feed.status.states["ent1"] is FeedState.FAILED)
        assert len(bench.server.seats) >= 3
        bench.server.refuse_joins = None

        await bench.subscribed()


@pytest.mark.parametrize("status", [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY])
async def test_a_server_that_is_down_ends_in_failed_and_is_found_again(status: HTTPStatus) -> None:
    async with feeding(max_retries=3) as bench:
        bench.server.handshake_status = status
        await eventually(lambda: bench.feed.status.states["ent1"] is FeedState.FAILED)
        assert bench.server.handshakes >= 3
        bench.server.handshake_status = None

        await bench.subscribed()


async def test_a_refused_key_is_alarmed_about(caplog: pytest.LogCaptureFixture) -> None:
    async with feeding() as bench:
        bench.server.handshake_status = HTTPStatus.UNAUTHORIZED

        await eventually(lambda: "realtime_configuration_refused" in caplog.messages)

        assert bench.feed.status.last_error == "handshake refused: HTTP 401 scripted"
        assert "key" not in bench.feed.status.last_error


async def test_malformed_changes_are_survived_counted_logged_once_and_caught_up_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with feeding() as bench:
        await bench.subscribed()
        bench.gaps.clear()
        seat = bench.server.seats[-1]

        for _ in range(3):
            await bench.server.send_row(seat, None, errors=["Error 413: Payload Too Large"])
            await bench.server.send_row(seat, a_ring({"due": [[3, [1]]]}))
            await bench.server.send_row(seat, None)
        await bench.rings("ent1", 2)

        assert bench.feed.status.changes_malformed == 9
        assert caplog.messages.count("change_malformed") == 3
        assert bench.told_to_catch_up() == set(ENTERPRISES)
        assert bench.server.handshakes == 1


async def test_a_frame_that_the_library_cannot_read_is_counted_and_never_quoted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with feeding() as bench:
        await bench.subscribed()
        bench.gaps.clear()

        await bench.server.send_row(bench.server.seats[-1], {"secret": "secret"}, columns=None)

        await eventually(lambda: bench.told_to_catch_up() == {"ent1", "ent2"})
        assert bench.feed.status.changes_malformed == 1
        assert "secret" not in caplog.text
        await bench.rings("ent1", 2)


async def test_a_callback_that_raises_is_survived_counted_and_caught_up_with(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with feeding() as bench:
        await bench.subscribed()
        bench.gaps.clear()

        def defect(*_: object) -> None:
            raise KeyError("defect")

        with monkeypatch.context() as patched:
            patched.setattr(reader_callbacks, "read_ring", defect)
            for notification_id in (1, 2):
                await bench.server.send_row(bench.server.seats[-1], a_ring(an_entry("ent1", notification_id)))
            await eventually(lambda: bench.feed.status.callbacks_failed == 2)

        await eventually(lambda: bench.told_to_catch_up() == set(ENTERPRISES))
        assert caplog.messages.count("callback_failed") == 1
        await bench.rings("ent1", 3)
        assert bench.server.handshakes == 1


async def test_closing_leaves_the_seats() -> None:
    async with feeding() as bench:
        await bench.subscribed()
        topics = {join.topic for join in bench.server.joins}

        await bench.feed.close()

        await eventually(lambda: topics <= set(bench.server.left))
