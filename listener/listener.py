"""A row changes, a workflow starts or wakes: the feed, the sweeper, the batchers and all who speak to Temporal."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial

from listener.batcher import WINDOW_SECONDS
from listener.counters import ListenerCounters
from listener.dispatcher import Dispatcher
from listener.floods import Floods
from listener.intake import Intake
from listener.lookout import LOOK_SECONDS, Lookout
from listener.metrics import note_event_lag
from listener.orchestration_keeper import OrchestrationKeeper
from listener.roster import Roster
from listener.schedule_waker import ScheduleWaker
from listener.sweeper import Sweeper
from listener.workflows import Work, Workflows
from shared.ports import (
    FeedEvent,
    FeedFlaw,
    FeedGap,
    FeedLate,
    FeedState,
    FeedStatus,
    NotificationStore,
    RowChange,
    RowChangeFeed,
    RowRetracted,
    RowScheduled,
    RuleChanged,
)
from shared.supervision import Supervisor

log = logging.getLogger("EnhancedSubscriptionManager")

DRAIN_SECONDS = 5.0
UNHEARD_SWEEP_SECONDS = 5.0


class Listener:
    """Hears the feed for the given enterprises until told to stop. One use per object."""

    def __init__(
        self,
        feed: RowChangeFeed,
        store: NotificationStore,
        workflows: Workflows,
        enterprise_ids: Collection[str],
        *,
        sweep_interval_seconds: float,
        unheard_sweep_seconds: float = UNHEARD_SWEEP_SECONDS,
        look_seconds: float = LOOK_SECONDS,
        window_seconds: float = WINDOW_SECONDS,
        parts: Supervisor | None = None,
        counters: ListenerCounters | None = None,
        keeper: OrchestrationKeeper | None = None,
    ) -> None:
        """Every enterprise is swept each `sweep_interval_seconds`; one that is not heard each `unheard_sweep_seconds`.
        What the feed does not tell is looked at each `look_seconds`. `parts` keeps what runs here; a `keeper` that is
        given is run by who gives it.
        """
        self.parts = parts or Supervisor()
        self.counters = counters or ListenerCounters()
        self._feed = feed
        self._enterprises = enterprises = Roster.of(enterprise_ids)
        self._sweep_interval_seconds = sweep_interval_seconds
        self._unheard_sweep_seconds = unheard_sweep_seconds
        floods = Floods(self._sweep_soon)
        self._dispatcher = Dispatcher(
            workflows.start,
            self.counters,
            on_recovery=self._start_afresh,
            floods=floods,
            until_done=workflows.until_done,
        )
        self._intake = Intake(
            self._dispatcher.hand_over,
            self.counters,
            sweep_soon=self._sweep_soon,
            window_seconds=window_seconds,
            floods=floods,
        )
        self._waker = ScheduleWaker(
            workflows, enterprises.schedulers, self.counters, wait_until_useful=self._dispatcher.wait_until_available
        )
        self._lookout = Lookout(
            store,
            enterprises,
            way=lambda: feed.status.way,
            interval_seconds=min(look_seconds, sweep_interval_seconds),
            on_unread_rules=self._tell_of_unread_rules,
            on_flaws=self._catch_up_with_all,
        )
        self._runs_keeper = keeper is None
        self._keeper = keeper or OrchestrationKeeper(
            workflows, enterprises.schedulers, self.counters, interval_seconds=sweep_interval_seconds
        )
        self._sweeper = Sweeper(
            store,
            self._intake.batchers,
            enterprises,
            self._intake.handed_over[Work.PROCESSING],
            self.counters,
            interval_seconds=sweep_interval_seconds,
            on_earliest_scheduled=self._wake_for_earliest,
            wait_until_useful=self._dispatcher.wait_until_available,
        )
        self._stopping = False
        enterprises.follow(self._note_members)

    @property
    def temporal_available(self) -> bool:
        """Whether Temporal answered the latest workflow start."""
        return self._dispatcher.temporal_available

    @property
    def shards(self) -> frozenset[int]:
        """Those of its enterprises."""
        return self._enterprises.shards

    @property
    def unread_rules(self) -> Mapping[str, datetime]:
        """By enterprise, since when its scheduler was told in vain that rules have changed."""
        return self._lookout.unread_rules

    @property
    def flaws(self) -> tuple[FeedFlaw, ...]:
        """What keeps changes from it, as of the latest look."""
        return self._lookout.flaws

    @property
    def feed_status(self) -> FeedStatus:
        """What the feed has observed of itself."""
        return self._feed.status

    @property
    def is_heard(self) -> bool:
        """Whether everybody is heard, and what may have been missed is swept."""
        return set(self.states().values()) <= {FeedState.SUBSCRIBED} and (
            bool(self._enterprises) or self._feed.status.state is FeedState.SUBSCRIBED
        )

    def states(self) -> dict[str, FeedState]:
        """Each enterprise's state: its seat on the feed, whether changes can reach it, and whether what it may have
        missed has been swept.
        """
        catching_up = self._sweeper.catching_up
        return {
            enterprise_id: FeedState.CATCHING_UP
            if state is FeedState.SUBSCRIBED and enterprise_id in catching_up
            else state
            for enterprise_id, state in self._heard().items()
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then take no more changes, hand over what is held, leave the feed and return."""
        keep = self.parts.keep
        try:
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(keep("feed", self._hear, afresh=self._catch_up_with_all, until=stop))
                seeking = [
                    tasks.create_task(
                        keep("sweeper", partial(self._sweeper.run, self.parts), afresh=self._sweeper.start_afresh)
                    ),
                    tasks.create_task(keep("sweeper of the unheard", self._sweep_the_unheard)),
                    tasks.create_task(keep("lookout", self._lookout.run)),
                    tasks.create_task(self._waker.run(self.parts)),
                ]
                if self._runs_keeper:
                    seeking.append(tasks.create_task(keep("orchestration keeper", self._keeper.run)))
                handing_over = [
                    tasks.create_task(self._intake.run(self.parts)),
                    tasks.create_task(self._dispatcher.run(self.parts)),
                ]
                self._sweeper.request_all()
                await stop.wait()
                await self._drain(hearing, seeking)
                for task in handing_over:
                    task.cancel()
        finally:
            await self.parts.attempt("feed", self._feed.close)
            log.info("listener_stopped", extra=self._counts())

    def _counts(self) -> dict[str, int]:
        status = self._feed.status
        return self.counters.totals() | {
            "changes_received": status.changes_received,
            "changes_malformed": status.changes_malformed,
            "callbacks_failed": status.callbacks_failed,
            "reconnects": status.reconnects,
        }

    async def _hear(self) -> None:
        async for event in self._feed.events():
            self._take_event(event)
        if not self._stopping:
            raise RuntimeError("the feed of row changes ended by itself")

    def _take_event(self, event: FeedEvent) -> None:
        if not isinstance(event, FeedGap | FeedLate):
            self.counters.enterprises[event.enterprise_id].note_event()
        match event:
            case RowChange() | RowRetracted():
                self._take(event)
            case RowScheduled(enterprise_id, scheduled_for):
                self._waker.row_scheduled(self._enterprises.scheduler_of(enterprise_id), scheduled_for)
            case RuleChanged(enterprise_id):
                self._waker.rules_changed(self._enterprises.scheduler_of(enterprise_id))
            case FeedGap(enterprise_ids):
                self._catch_up(enterprise_ids & self._enterprises)
            case FeedLate(enterprise_ids):
                self._sweeper.request(enterprise_ids & self._enterprises)

    async def _sweep_the_unheard(self) -> None:
        """While the doorbell is out of order, look more often."""
        while True:
            await asyncio.sleep(self._unheard_sweep_seconds)
            self._sweeper.request(self._unheard())

    def _heard(self) -> dict[str, FeedState]:
        """The feed's own states; while changes are kept from it, none of those it hears is heard whole."""
        return {
            enterprise_id: FeedState.RECONNECTING if state is FeedState.SUBSCRIBED and self._lookout.flaws else state
            for enterprise_id, state in self._feed.status.states.items()
            if enterprise_id in self._enterprises
        }

    def _unheard(self) -> list[str]:
        return [enterprise_id for enterprise_id, state in self._heard().items() if state is not FeedState.SUBSCRIBED]

    def _tell_of_unread_rules(self, enterprise_id: str) -> None:
        self.counters.recovered_rules += 1
        self._waker.rules_changed(self._enterprises.scheduler_of(enterprise_id))

    def _wake_for_earliest(self, enterprise_id: str, instant: datetime) -> None:
        self._waker.earliest_row_found(self._enterprises.scheduler_of(enterprise_id), instant)

    def _note_members(self, come: frozenset[str], gone: frozenset[str]) -> None:
        """What those who have come had before they were known is read, and heard from now on."""
        for enterprise_id in gone:
            self.counters.enterprises.pop(enterprise_id, None)
        if come:
            self._sweeper.catch_up(come)
            for scheduled in {self._enterprises.scheduler_of(each) for each in come}:
                self._waker.rules_changed(scheduled)

    def _take(self, change: RowChange | RowRetracted) -> None:
        if isinstance(change, RowChange):
            self.counters.changes += 1
            note_event_lag(change)
        else:
            self.counters.retractions += 1
        if self._dispatcher.temporal_available:  # otherwise the recovery sweeps everything
            self._intake.take(change)

    def _catch_up(self, enterprise_ids: frozenset[str]) -> None:
        """Rows are read by a sweep; whether rules are to be read again, a look tells."""
        self.counters.gaps += 1
        self._sweeper.catch_up(enterprise_ids)
        self._lookout.look_soon()

    def _catch_up_with_all(self) -> None:
        """What came while nobody heard, or nothing could be heard, is in the tables."""
        self._catch_up(frozenset(self._enterprises))

    def _sweep_soon(self, enterprise_id: str) -> None:
        self._sweeper.request({enterprise_id})

    def _start_afresh(self) -> None:
        self._intake.forget_all()
        self._sweeper.request_all()
        self._keeper.look_soon()

    async def _drain(self, hearing: asyncio.Task[None], seeking: Collection[asyncio.Task[None]]) -> None:
        """What cannot be handed over in time stays in the tables, for the next listener's first sweep."""
        self._stopping = True
        for task in seeking:
            task.cancel()
        await self.parts.attempt("feed", self._feed.close)
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.wait({hearing, *seeking})
                await self.parts.attempt("intake", self._intake.flush)
                await self.parts.attempt("dispatcher", self._dispatcher.drain)
                if self._dispatcher.temporal_available:
                    await self._waker.flush(self.parts)
        except TimeoutError:
            log.warning("drain_incomplete", extra={"seconds": DRAIN_SECONDS})
        hearing.cancel()
