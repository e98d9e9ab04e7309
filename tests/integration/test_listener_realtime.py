"""The listener on the real database and the Realtime edge: whatever breaks between them, no row is missed."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

import pytest

from listener.doorbell.timing import FeedTiming
from listener.hearing import FeedChoice
from shared.ports import FeedState
from tests.integration.listener_bench import eventually, listening

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")  # the library's own use of it


async def test_a_row_that_is_inserted_or_published_rings_and_nothing_else_does(
    local_stack: Mapping[str, str],
) -> None:
    async with listening(local_stack) as bench:
        await bench.hears()
        [sent] = await bench.insert()
        [draft] = await bench.insert(publish_status="DRAFT")
        [inactive] = await bench.insert(enterprise=1, deactivated=True)
        await bench.starts(sent)
        await bench.update([draft], "publish_status = 'PUBLISH'")
        await bench.update([inactive], "deactivated = false")
        await bench.starts(sent, draft, inactive)
        received = bench.feed.status.changes_received

        await bench.update([sent, draft], "notification_status = 'PROCESSING'")
        await bench.update([sent, draft], "notification_status = 'SENT'")
        await bench.insert(publish_status="DRAFT")
        [last] = await bench.insert()
        await bench.starts(last)

        assert bench.feed.status.changes_received == received + 1, "our own changes of status must not ring"
        assert len(bench.started) == 4


async def test_a_row_released_by_its_worker_rings_again(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        [row] = await bench.insert()
        await bench.starts(row)

        await bench.update([row], "notification_status = 'PROCESSING'")
        await bench.update([row], "notification_status = 'PENDING'")

        await eventually(lambda: bench.rows_started == [row, row])


async def test_a_burst_becomes_full_batches_and_every_row_is_started_once(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        await bench.hears()
        received = bench.feed.status.changes_received
        rows = await bench.insert(5000)

        await bench.starts(*rows)
        assert bench.feed.status.changes_received == received + 1, "one ring for a statement and an enterprise"
        assert sorted(bench.rows_started) == rows
        assert len(bench.started) <= 60


ONCE: dict[str, tuple[str, dict[str, Any]]] = {
    "the connection breaks": ("drop", {}),
    "the server shuts down": ("close", {"code": 1012}),
    "the server closes politely": ("close", {"code": 1000}),
    "the socket freezes": ("freeze", {"seconds": 4.0}),
    "every channel is closed": ("phx_close", {}),
    "every channel crashes": ("phx_error", {}),
    "the token expires": ("expire_token", {}),
    "the slot is lost": ("kill_slot", {}),
    "events vanish": ("lose_events", {"seconds": 3.0}),
    "an event cannot be read": ("malformed_event", {}),
    "an event has no commit time": ("malformed_event", {"field": "commit_timestamp"}),
    "an event is refused": ("unauthorized_event", {}),
}


def chaos() -> list[tuple[FeedChoice, str]]:
    """Every fault on the first feed; on the others too if XNOVU_TEST_EVERY_FEED asks for it, or one fault of them."""
    others: list[FeedChoice] = ["broadcast", "auto"]
    if os.environ.get("XNOVU_TEST_EVERY_FEED"):
        return [(choice, fault) for choice in ("postgres_changes", *others) for fault in ONCE]
    return [*(("postgres_changes", fault) for fault in ONCE), ("broadcast", "events vanish")]


@pytest.mark.parametrize(("choice", "fault"), chaos())
async def test_no_row_is_missed_when(local_stack: Mapping[str, str], choice: FeedChoice, fault: str) -> None:
    name, body = ONCE[fault]
    if choice != "postgres_changes" and name == "kill_slot":
        name = "kill_broadcast_slot"
    async with listening(local_stack, choice=choice) as bench:
        rows = await bench.insert(5)
        for round_ in range(20):
            if round_ == 5:
                await bench.fault(name, **body)
            rows += await bench.insert(3, enterprise=round_ % 2)
            await asyncio.sleep(0.05)

        await bench.starts(*rows)
        await bench.subscribed()
        [after] = await bench.insert(enterprise=1)
        await bench.starts(after)


async def test_no_row_is_missed_when_joins_are_refused_for_a_while(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        await bench.fault("refuse_joins", joins=4, delay_seconds=0.1)
        await bench.fault("phx_close")
        rows = await bench.insert(5)

        await bench.starts(*rows)
        await bench.subscribed()


async def test_a_server_that_refuses_handshakes_is_failed_and_found_again(local_stack: Mapping[str, str]) -> None:
    timing = FeedTiming(reconnect_delay=0.05, reconnect_cap=0.1, probe_every=0.5)
    async with listening(local_stack, timing=timing) as bench:
        await bench.fault("refuse_handshakes", status=503, handshakes=4)
        await bench.fault("drop")
        rows = await bench.insert(5)
        await eventually(lambda: set(bench.listener.states().values()) == {FeedState.FAILED})

        await bench.starts(*rows)

        await bench.subscribed()


async def test_a_row_of_two_megabytes_and_one_of_nobody_are_survived(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        [huge] = await bench.insert(payload='{"text": "' + "x" * 2_000_000 + '"}')
        await bench.update([huge], "tags = '{touched}'")
        [small] = await bench.insert()

        await bench.starts(huge, small)
        assert bench.feed.status.callbacks_failed == 0
