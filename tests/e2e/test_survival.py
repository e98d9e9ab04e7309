"""What a row, an event or a neighbour can be like at its worst: survived, logged once, counted.

One system goes through all of it, with sweeps at intervals so long that every row below arrives by its event, or by
the catch-up that an unreadable event asks for. The tests look at what is left.
"""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from stack.sample_data import seed_enterprise
from tests.e2e import rows
from tests.e2e.logs import events, read_log
from tests.e2e.system import ENTERPRISES, System, eventually, running_system

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NEVER_MS = "3600000"
TWO_MEGABYTES = "x" * 2_000_000
HUNDREDS_OF_KILOBYTES = secrets.token_hex(150_000)
"""Random, so that PostgreSQL cannot compress it into the row."""


@dataclass(frozen=True)
class Provoked:
    """The ids of the rows that were written, and how many events on the wire could not be read."""

    huge: int
    huge_among_small: int
    small: list[int]
    published_later: int
    after_bad_events: list[int]
    nobodys: int
    strangers: int
    unreadable_events: int

    def sendable(self) -> list[int]:
        return [*self.small, self.published_later, *self.after_bad_events]

    def all_ours(self) -> list[int]:
        return [self.huge, self.huge_among_small, *self.sendable()]


@dataclass(frozen=True)
class Aftermath:
    """What is left once everything has settled and the listener has stopped."""

    provoked: Provoked
    rows: dict[int, rows.Row]
    calls: list[dict[str, Any]]
    listener_log: Path
    worker_log: Path

    def counters(self) -> dict[str, int]:
        [last] = events(self.listener_log, "listener_stopped")
        return last

    def deliveries(self, notification_id: int) -> list[dict[str, Any]]:
        """The calls that reached people for this row."""
        transaction_id = self.rows[notification_id].transaction_id
        return [call for call in self.calls if call["transaction_id"] == transaction_id and not call["duplicate"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aftermath]:
    directory = tmp_path_factory.mktemp("survival")
    async with running_system(directory, SUBSCRIPTION_HEALTH_CHECK_INTERVAL=NEVER_MS) as system:
        await _all_subscribed(system)
        provoked = await _provoke(system)
        await rows.settled(system, provoked.all_ours())
        await system.listener.stop(within_seconds=15)
        yield Aftermath(
            provoked=provoked,
            rows=await rows.read(system, [*provoked.all_ours(), provoked.nobodys, provoked.strangers]),
            calls=await system.sink_calls(),
            listener_log=system.listener.log_file,
            worker_log=system.worker.log_file,
        )


async def _all_subscribed(system: System) -> None:
    async def all_subscribed() -> bool:
        return len(events(system.listener.log_file, "subscription_subscribed")) == len(ENTERPRISES)

    await eventually(all_subscribed, what="every enterprise is subscribed")


async def _provoke(system: System) -> Provoked:
    acme, globex, initech = system.enterprises
    small = {"notification_workflow_id": acme.static, "payload": {"n": 1}}
    large = {**small, "payload": {"text": TWO_MEGABYTES}}
    [huge] = await rows.insert(system, acme.enterprise_id, large)
    batch = await rows.insert(system, acme.enterprise_id, *[small] * 50, large, *[small] * 49)
    huge_among_small = batch.pop(50)
    nobodys, strangers = await _insert_rows_of_others(system)

    draft = {"notification_workflow_id": globex.static, "publish_status": "DRAFT"}
    [published_later] = await rows.insert(
        system, globex.enterprise_id, {**draft, "payload": {"text": HUNDREDS_OF_KILOBYTES}}
    )
    await rows.execute(
        system, "update notify.ent_notification set publish_status = 'PUBLISH' where id = $1", published_later
    )

    unreadable_events = 0
    for _ in range(2):
        unreadable_events += await system.edge_fault("malformed_event", field="columns")
        unreadable_events += await system.edge_fault("malformed_event", field="commit_timestamp")
        unreadable_events += await system.edge_fault("unauthorized_event")
    after_bad_events = [
        *await rows.insert(system, globex.enterprise_id, {"notification_workflow_id": globex.static}),
        *await rows.insert(system, initech.enterprise_id, {"notification_workflow_id": initech.static}),
    ]
    return Provoked(
        huge=huge,
        huge_among_small=huge_among_small,
        small=batch,
        published_later=published_later,
        after_bad_events=after_bad_events,
        nobodys=nobodys,
        strangers=strangers,
        unreadable_events=unreadable_events,
    )


async def _insert_rows_of_others(system: System) -> tuple[int, int]:
    """A row that belongs to no enterprise, and one of an enterprise that is not configured."""
    connection = await system.connect()
    try:
        umbrella = await seed_enterprise(connection, "umbrella")
    finally:
        await connection.close()
    row = {"notification_workflow_id": umbrella.static}
    [nobodys] = await rows.insert(system, None, row)
    [strangers] = await rows.insert(system, umbrella.enterprise_id, row)
    return nobodys, strangers


def test_a_row_of_two_megabytes_fails_as_too_large_for_novu(aftermath: Aftermath) -> None:
    for notification_id in (aftermath.provoked.huge, aftermath.provoked.huge_among_small):
        row = aftermath.rows[notification_id]

        assert row.status == "FAILED"
        assert row.error["code"] == "payload_too_large"
        assert aftermath.deliveries(notification_id) == []


def test_everything_beside_it_and_after_it_is_sent_once(aftermath: Aftermath) -> None:
    for notification_id in aftermath.provoked.sendable():
        assert aftermath.rows[notification_id].status == "SENT"
        assert len(aftermath.deliveries(notification_id)) == 1


def test_a_failed_row_is_logged_once(aftermath: Aftermath) -> None:
    failures = events(aftermath.worker_log, "notification_failed")

    assert sorted((failure["notification_id"], failure["code"]) for failure in failures) == [
        (aftermath.provoked.huge, "payload_too_large"),
        (aftermath.provoked.huge_among_small, "payload_too_large"),
    ]


def test_a_large_column_that_an_update_leaves_alone_is_sent_whole(aftermath: Aftermath) -> None:
    [call] = aftermath.deliveries(aftermath.provoked.published_later)

    assert call["payload"] == {"text": HUNDREDS_OF_KILOBYTES}


def test_rows_of_nobody_and_of_strangers_are_never_touched(aftermath: Aftermath) -> None:
    for notification_id in (aftermath.provoked.nobodys, aftermath.provoked.strangers):
        assert aftermath.rows[notification_id].is_untouched
    assert all("umbrella" not in call["workflow"] for call in aftermath.calls)


def test_every_event_that_cannot_be_read_is_counted(aftermath: Aftermath) -> None:
    counters = aftermath.counters()

    # Rows of two megabytes are none of them: a ring holds no row.
    assert aftermath.provoked.unreadable_events >= 6
    assert counters["changes_malformed"] == aftermath.provoked.unreadable_events
    assert counters["callbacks_failed"] == 0


def test_every_cause_is_logged_once(aftermath: Aftermath) -> None:
    malformed = events(aftermath.listener_log, "change_malformed")

    causes = [entry["cause"] for entry in malformed]
    assert causes == ["a frame that the library cannot read"]


def test_the_socket_outlives_it_all(aftermath: Aftermath) -> None:
    assert aftermath.counters()["reconnects"] == 0
    assert events(aftermath.listener_log, "realtime_socket_lost") == []


def test_no_payload_reaches_a_log(aftermath: Aftermath) -> None:
    for log in (aftermath.listener_log, aftermath.worker_log):
        assert read_log(log) != []
        assert TWO_MEGABYTES[:100] not in log.read_text()
        assert HUNDREDS_OF_KILOBYTES[:100] not in log.read_text()
