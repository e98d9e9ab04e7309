"""Small stand-ins for the listener's ports, and a way to wait for what tasks do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NoReturn

from temporalio.service import RPCError, RPCStatusCode

from listener.workflows import Work, Workflows
from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Outcome
from shared.notification.priority import NORMAL
from shared.ports import (
    ChangeType,
    DueNotifications,
    FeedEvent,
    FeedFlaw,
    FeedState,
    FeedStatus,
    FeedWay,
    HeldClaim,
    LookoutFindings,
    RowChange,
    StoreUnavailable,
)
from shared.temporal.messages import Portion
from shared.temporal.orchestration import OrchestrationRun


async def eventually(check: Callable[[], bool], *, within_seconds: float = 5.0) -> None:
    """Return once the check holds; let the tasks run in between."""
    async with asyncio.timeout(within_seconds):
        while not check():  # noqa: ASYNC110 - what is checked has no event to wait for
            await asyncio.sleep(0.001)


def an_insert(notification_id: int, enterprise_id: str = "ent1") -> RowChange:
    return RowChange(enterprise_id, notification_id, ChangeType.INSERT)


class FakeTemporal:
    """Records the starts; refuses them while it is away."""

    def __init__(self) -> None:
        self.started: list[tuple[str, tuple[int, ...]]] = []
        self.running: set[tuple[int, ...]] = set()
        self.is_away = False
        self.attempts = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.done = asyncio.Event()
        self.done.set()
        self.retractions: list[tuple[str, tuple[int, ...]]] = []
        self.rules_told: list[str] = []
        self.rows_told: list[tuple[str, datetime]] = []
        self.orchestration = OrchestrationRun.ABSENT
        self.orchestrated: list[tuple[str, ...]] = []
        self.looks = 0
        self.unanswered = 0

    @property
    def rows(self) -> list[int]:
        return [notification_id for _, ids in self.started for notification_id in ids]

    async def start(self, portions: Sequence[Portion], *, priority: int = NORMAL) -> bool:
        self.attempts += 1
        await self.gate.wait()
        if self.is_away:
            raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
        if tuple(portions[0].notification_ids) in self.running:
            return False
        self.started += [(portion.enterprise_id, tuple(portion.notification_ids)) for portion in portions]
        return True

    async def retract(self, portions: Sequence[Portion], *, priority: int = NORMAL) -> bool:
        self._answer()
        self.retractions += [(portion.enterprise_id, tuple(portion.notification_ids)) for portion in portions]
        return True

    async def until_done(self, portion: Portion) -> None:
        await self.done.wait()

    async def rules_changed(self, enterprise_id: str) -> bool:
        self._answer()
        self.rules_told.append(enterprise_id)
        return True

    async def row_due_at(self, enterprise_id: str, instant: datetime) -> bool:
        self._answer()
        self.rows_told.append((enterprise_id, instant))
        return True

    async def join_orchestration(self, enterprise_ids: Collection[str]) -> None:
        self._answer()
        self.orchestration = OrchestrationRun.RUNNING
        self.orchestrated.append(tuple(enterprise_ids))

    async def observe_orchestration(self) -> OrchestrationRun:
        self._answer()
        self.looks += 1
        return self.orchestration

    @property
    def workflows(self) -> Workflows:
        return Workflows(
            start={Work.PROCESSING: self.start, Work.RETRACTION: self.retract},
            until_done=self.until_done,
            rules_changed=self.rules_changed,
            row_due_at=self.row_due_at,
            join_orchestration=self.join_orchestration,
            observe_orchestration=self.observe_orchestration,
        )

    def _answer(self) -> None:
        if self.is_away:
            self.unanswered += 1
            raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")


class FakeStore:
    """A table of due rows; only what the listener asks of the port is answered."""

    def __init__(self, due: Mapping[str, Collection[int]] | None = None) -> None:
        self.due = {enterprise_id: set(ids) for enterprise_id, ids in (due or {}).items()}
        self.expired: set[int] = set()
        self.next_scheduled_at: dict[str, datetime] = {}
        self.uncancelled: dict[str, tuple[int, ...]] = {}
        self.failures_to_come = 0
        self.unread_rules: dict[str, float] = {}
        self.flaws: tuple[FeedFlaw, ...] = ()
        self.looks = 0
        self.calls: list[tuple[frozenset[str], int]] = []
        self.beats = 0
        self.priorities: dict[int, int] = {}

    async def list_due(
        self, enterprise_ids: Collection[str], *, page_size: int, after_id: int = 0
    ) -> list[DueNotifications]:
        self.calls.append((frozenset(enterprise_ids), after_id))
        if self.failures_to_come:
            self.failures_to_come -= 1
            raise StoreUnavailable("restarting")
        pages = []
        for enterprise_id in sorted(enterprise_ids):
            ids = sorted(row for row in self.due.get(enterprise_id, ()) if row > after_id)
            page = tuple(ids[:page_size])
            expired = len(self.expired.intersection(page))
            scheduled = self.next_scheduled_at.get(enterprise_id) if after_id == 0 else None
            uncancelled = self.uncancelled.get(enterprise_id, ()) if after_id == 0 else ()
            urgent = tuple((row, self.priorities[row]) for row in ids if self.priorities.get(row, 3) < 3)
            urgent = urgent if after_id == 0 else ()
            if page or scheduled or uncancelled:
                pages.append(
                    DueNotifications(
                        enterprise_id,
                        page,
                        len(page) - expired,
                        expired,
                        has_more=len(ids) > page_size,
                        next_scheduled_at=scheduled,
                        uncancelled=uncancelled,
                        priorities={row: self.priorities[row] for row in page if row in self.priorities},
                        urgent=urgent,
                    )
                )
        return pages

    async def look_out(self, enterprise_ids: Collection[str], way: FeedWay) -> LookoutFindings:
        self.looks += 1
        if self.failures_to_come:
            self.failures_to_come -= 1
            raise StoreUnavailable("restarting")
        return LookoutFindings(dict(self.unread_rules), self.flaws)

    async def sing(self, listener_id: str, way: FeedWay) -> int:
        self.beats += 1
        return self.beats

    async def claim(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        claim_owner: str,
        lease_seconds: int,
        uncalled: bool = False,
    ) -> ClaimedBatch:
        _not_the_listeners()

    async def hold_claims(
        self, enterprise_id: str, *, claim_owner: str, rows: Sequence[HeldClaim], lease_seconds: int
    ) -> frozenset[int]:
        _not_the_listeners()

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> Mapping[int, Outcome]:
        _not_the_listeners()

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        _not_the_listeners()

    async def note_faults(
        self, enterprise_id: str, *, claim_owner: str, notification_ids: Collection[int], code: str
    ) -> Mapping[int, int]:
        _not_the_listeners()


def _not_the_listeners() -> NoReturn:
    raise AssertionError("the listener neither claims nor records")


class FakeFeed:
    """A feed whose events the test sends."""

    def __init__(self, enterprise_ids: Collection[str]) -> None:
        self.status = FeedStatus(states=dict.fromkeys(enterprise_ids, FeedState.SUBSCRIBED))
        self._events: asyncio.Queue[FeedEvent | Exception | None] = asyncio.Queue()

    def send(self, *events: FeedEvent | Exception | None) -> None:
        """Events to come; an exception is raised, None ends the feed."""
        for event in events:
            self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[FeedEvent]:
        while (event := await self._events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    async def close(self) -> None:
        self.send(None)
