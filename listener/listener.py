"""A row changes, a workflow starts: the feed, the sweeper, the batchers and the dispatcher, run together."""

import asyncio
import dataclasses
import logging
from collections.abc import Collection, Iterable
from functools import partial

from listener.batcher import WINDOW_SECONDS, Batcher
from listener.counters import ListenerCounters
from listener.dispatcher import Dispatcher, StartProcessing
from listener.handed_over import HandedOver
from listener.sweeper import Sweeper
from shared.ports import FeedGap, FeedState, NotificationStore, RowChange, RowChangeFeed

log = logging.getLogger("EnhancedSubscriptionManager")

DRAIN_SECONDS = 5.0
UNHEARD_SWEEP_SECONDS = 5.0


class Listener:
    """Hears the feed for the given enterprises until told to stop. One use per object."""

    def __init__(
        self,
        feed: RowChangeFeed,
        store: NotificationStore,
        start: StartProcessing,
        enterprise_ids: Collection[str],
        *,
        sweep_interval_seconds: float,
        unheard_sweep_seconds: float = UNHEARD_SWEEP_SECONDS,
        window_seconds: float = WINDOW_SECONDS,
    ) -> None:
        """Every enterprise is swept each `sweep_interval_seconds`; one without a seat each `unheard_sweep_seconds`."""
        self.counters = ListenerCounters()
        self._feed = feed
        self._handed_over = HandedOver()
        self._unheard_sweep_seconds = unheard_sweep_seconds
        self._dispatcher = Dispatcher(start, self.counters, on_recovery=self._start_afresh)
        self._batchers = {
            enterprise_id: Batcher(
                enterprise_id,
                self._handed_over,
                self._dispatcher.hand_over,
                on_full_batch=partial(self._sweep_soon, enterprise_id),
                window_seconds=window_seconds,
            )
            for enterprise_id in enterprise_ids
        }
        self._sweeper = Sweeper(
            store,
            self._batchers,
            self._handed_over,
            self.counters,
            interval_seconds=sweep_interval_seconds,
            wait_until_useful=self._dispatcher.wait_until_available,
        )
        self._stopping = False

    @property
    def temporal_available(self) -> bool:
        """Whether Temporal answered the latest workflow start."""
        return self._dispatcher.temporal_available

    def states(self) -> dict[str, FeedState]:
        """Each enterprise's state: its seat on the feed, and whether what it may have missed has been swept."""
        catching_up = self._sweeper.catching_up
        return {
            enterprise_id: FeedState.CATCHING_UP
            if state is FeedState.SUBSCRIBED and enterprise_id in catching_up
            else state
            for enterprise_id, state in self._feed.status.states.items()
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then take no more changes, hand over what is held, leave the feed and return.

        Raises:
            ExceptionGroup: a part died of something that none of them knows how to survive.
        """
        try:
            async with asyncio.TaskGroup() as parts:
                hearing = parts.create_task(self._hear(), name="feed")
                sweeping = [
                    parts.create_task(self._sweeper.run(), name="sweeper"),
                    parts.create_task(self._sweep_the_unheard(), name="sweeper of the unheard"),
                ]
                batching = [
                    parts.create_task(batcher.run(), name=f"batcher {enterprise_id}")
                    for enterprise_id, batcher in self._batchers.items()
                ]
                dispatching = parts.create_task(self._dispatcher.run(), name="dispatcher")
                self._sweeper.request_all()
                await stop.wait()
                await self._drain(hearing, sweeping)
                for task in (*batching, dispatching):
                    task.cancel()
        finally:
            await self._feed.close()
            log.info("listener_stopped", extra=self._counts())

    def _counts(self) -> dict[str, int]:
        status = self._feed.status
        return dataclasses.asdict(self.counters) | {
            "changes_received": status.changes_received,
            "changes_malformed": status.changes_malformed,
            "callbacks_failed": status.callbacks_failed,
            "reconnects": status.reconnects,
        }

    async def _hear(self) -> None:
        async for event in self._feed.events():
            match event:
                case RowChange():
                    self._take(event)
                case FeedGap():
                    self.counters.gaps += 1
                    self._sweeper.catch_up(event.enterprise_ids & self._batchers.keys())
        if not self._stopping:
            raise RuntimeError("the feed of row changes ended by itself")

    async def _sweep_the_unheard(self) -> None:
        """While the doorbell is out of order, look more often."""
        while True:
            await asyncio.sleep(self._unheard_sweep_seconds)
            states = self._feed.status.states
            self._sweeper.request(each for each, state in states.items() if state is not FeedState.SUBSCRIBED)

    def _take(self, change: RowChange) -> None:
        self.counters.changes += 1
        batcher = self._batchers[change.enterprise_id]
        if not self._dispatcher.temporal_available:
            return  # the recovery sweeps everything
        if not batcher.has_room():
            self.counters.queue_full += 1
            self._sweep_soon(change.enterprise_id)
        elif not batcher.offer(change):
            self.counters.changes_already_handed_over += 1

    def _sweep_soon(self, enterprise_id: str) -> None:
        self._sweeper.request({enterprise_id})

    def _start_afresh(self) -> None:
        self._handed_over.forget_all()
        self._sweeper.request_all()

    async def _drain(self, hearing: asyncio.Task[None], sweeping: Iterable[asyncio.Task[None]]) -> None:
        """What cannot be handed over in time stays due in the table, for the next listener's first sweep."""
        self._stopping = True
        for task in sweeping:
            task.cancel()
        await self._feed.close()
        await hearing
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                for batcher in self._batchers.values():
                    await batcher.flush()
                await self._dispatcher.drain()
        except TimeoutError:
            log.warning("drain_incomplete", extra={"seconds": DRAIN_SECONDS})
