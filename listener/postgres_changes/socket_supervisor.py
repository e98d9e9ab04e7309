"""Keeps one socket, and the seats on it, alive for ever."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar, cast

from realtime import AsyncRealtimeClient
from websockets.exceptions import InvalidStatus

from listener.postgres_changes import unreadable_frames
from listener.postgres_changes.canary import Canary
from listener.postgres_changes.door import Door
from listener.postgres_changes.enterprise_subscription import enterprise_subscription
from listener.postgres_changes.losses import (
    SeatLost,
    SeatNotConfirmed,
    SeatRefused,
    SocketLost,
    broken_socket,
    refused_handshake,
)
from listener.postgres_changes.observer import FeedObserver
from listener.postgres_changes.pulse import Pulse
from listener.postgres_changes.reader_callbacks import ReaderCallbacks
from listener.postgres_changes.seat import SOCKET_ERRORS, take_seat
from listener.postgres_changes.timing import FeedTiming
from shared.backoff import Backoff
from shared.supervision import Supervisor

DEFECT = "an unforeseen exception; the log says where: part_failed"

LossT = TypeVar("LossT", bound=Exception)


class _Moved(Exception):
    """The enterprise is not to be seated here any more."""


class SocketSupervisor:
    """One socket with a seat for the canary, and one for each of its enterprises.

    Every socket gets a fresh client of the library, told never to reconnect by itself: most of what goes wrong leaves
    a used one silent for good. A seat's failure costs that seat, a socket's failure all of them. Enterprises for whose
    seats the server has no room on this socket are given away.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        pulse: Pulse,
        canary: Canary,
        callbacks: ReaderCallbacks,
        observer: FeedObserver,
        timing: FeedTiming,
        seat_elsewhere: Callable[[Sequence[str]], None],
        parts: Supervisor,
    ) -> None:
        """`pulse` says whom to seat; `seat_elsewhere` takes those for whom the server has no room here."""
        self._parts = parts
        self._url = url
        self._key = key
        self._pulse = pulse
        self._canary = canary
        self._callbacks = callbacks
        self._observer = observer
        self._timing = timing
        self._seat_elsewhere = seat_elsewhere
        self._let_in: set[str] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Connect, hold, and connect again, until cancelled."""
        unreadable_frames.on_unreadable_frame.set(self._callbacks.on_unreadable_frame)
        backoff = self._backoff()
        self._pulse.on_proof = backoff.proven
        while True:
            loss = SocketLost("the socket's tasks ended")
            try:
                await self._hold_socket()
            except* SocketLost as group:
                loss = _first(group)
            seconds = backoff.next_seconds(at_least=loss.wait_at_least_seconds)
            self._observer.socket_lost(loss.reason, failures=backoff.failures, is_configuration=loss.is_configuration)
            self._lose_all(loss.reason, failures=backoff.failures)
            await asyncio.sleep(seconds)

    def note_fault(self) -> None:
        """`run` has ended by what nobody foresaw: nobody is heard until it runs again."""
        self._lose_all(DEFECT, failures=1)

    def _lose_all(self, reason: str, *, failures: int) -> None:
        for enterprise_id in self._pulse.enterprise_ids:
            self._pulse.left(enterprise_id)
        self._observer.lost(self._pulse.enterprise_ids, reason, failures=failures)

    async def _hold_socket(self) -> None:
        timing = self._timing
        client = AsyncRealtimeClient(
            self._url, self._key, auto_reconnect=False, max_retries=1, timeout=_whole_seconds(timing)
        )
        try:
            await self._connect(client)
            door = Door(self._backoff())
            self._let_in.clear()
            async with asyncio.TaskGroup() as seats:
                canary = partial(self._keep_canary, client, door)  # the first to knock: without it nothing is proven
                seats.create_task(self._parts.keep("canary", canary, passing=(SocketLost,)))
                for enterprise_id in self._pulse.enterprise_ids:
                    seats.create_task(self._supervise_seat(client, door, enterprise_id))
        finally:
            await self._close(client)

    async def _connect(self, client: AsyncRealtimeClient) -> None:
        try:
            async with asyncio.timeout(self._timing.handshake_timeout):
                await client.connect()
        except InvalidStatus as error:
            raise refused_handshake(error) from None
        except SOCKET_ERRORS as error:
            raise broken_socket(error) from None

    async def _supervise_seat(self, client: AsyncRealtimeClient, door: Door, enterprise_id: str) -> None:
        """What nobody foresaw on one seat is that seat's own trouble."""
        await self._parts.keep(
            "seat",
            partial(self._keep_seat, client, door, enterprise_id),
            on_fault=partial(self._lose_seat, enterprise_id, DEFECT, failures=1),
            passing=(SocketLost,),
        )

    async def _keep_seat(self, client: AsyncRealtimeClient, door: Door, enterprise_id: str) -> None:
        """Take the enterprise's seat, and take it again whenever it is lost while the socket is well."""
        timing = self._timing
        backoff = self._backoff()
        while True:
            try:
                async with take_seat(
                    client,
                    enterprise_subscription(enterprise_id),
                    on_change=partial(self._callbacks.on_change, enterprise_id),
                    on_subscribed=partial(self._callbacks.on_subscribed, enterprise_id),
                    timeout_seconds=timing.confirm_timeout,
                    entrance=self._passing(door, enterprise_id),
                ) as seat:
                    await seat.hold(
                        probe_every_seconds=timing.seat_probe_every, probe_timeout_seconds=timing.probe_timeout
                    )
            except _Moved:
                return
            except SeatLost as loss:
                if not client.is_connected:
                    raise SocketLost(loss.reason) from None
                if self._pulse.is_proven(enterprise_id):
                    backoff.proven()
                if isinstance(loss, SeatRefused) and loss.is_full and self._give_away(loss.reason):
                    return
                seconds = backoff.next_seconds(at_least=loss.wait_at_least_seconds)
                self._lose_seat(enterprise_id, loss.reason, failures=backoff.failures)
                if loss.is_configuration:
                    self._observer.alarm("realtime_configuration_refused", loss.reason)
            await asyncio.sleep(seconds)

    def _lose_seat(self, enterprise_id: str, reason: str, *, failures: int) -> None:
        self._let_in.discard(enterprise_id)
        self._pulse.left(enterprise_id)
        self._observer.lost((enterprise_id,), reason, failures=failures)

    @asynccontextmanager
    async def _passing(self, door: Door, enterprise_id: str) -> AsyncIterator[None]:
        """The door, for one who is still expected inside. Raises _Moved."""
        async with door.passing():
            if enterprise_id not in self._pulse.enterprise_ids:
                raise _Moved
            yield
            self._let_in.add(enterprise_id)

    def _give_away(self, reason: str) -> bool:
        """Have those who found no seat taken in elsewhere; not where that would help nobody, as nobody sits here."""
        if not self._let_in:
            return False
        waiting = [each for each in self._pulse.enterprise_ids if each not in self._let_in]
        self._pulse.enterprise_ids = [each for each in self._pulse.enterprise_ids if each in self._let_in]
        self._observer.alarm("realtime_socket_full", f"seats for {len(self._pulse.enterprise_ids)}: {reason}")
        self._observer.lost(waiting, reason, failures=1)
        self._seat_elsewhere(waiting)
        return True

    async def _keep_canary(self, client: AsyncRealtimeClient, door: Door) -> None:
        """The canary's seat is the socket's pulse: a silent one means a dead socket, a refused one is tried again."""
        timing = self._timing
        backoff = self._backoff()
        while True:
            try:
                async with (
                    take_seat(
                        client,
                        self._canary.subscription,
                        on_change=self._canary.on_change,
                        on_subscribed=self._canary.sing_soon,
                        timeout_seconds=timing.confirm_timeout,
                        entrance=door.passing(urgent=True),
                    ) as seat,
                    asyncio.TaskGroup() as pulse,
                ):
                    pulse.create_task(
                        seat.hold(probe_every_seconds=timing.probe_every, probe_timeout_seconds=timing.probe_timeout)
                    )
                    pulse.create_task(self._canary.sing())
            except* SeatNotConfirmed as group:
                raise SocketLost(f"canary: {_first(group).reason}") from None
            except* SeatLost as group:
                loss = _first(group)
                if not client.is_connected:
                    raise SocketLost(loss.reason) from None
                self._pulse.doubted(loss.reason, next_beat=self._canary.next_beat)
                self._observer.alarm("canary_refused", loss.reason)
            await asyncio.sleep(backoff.next_seconds(at_least=loss.wait_at_least_seconds))

    def _backoff(self) -> Backoff:
        return Backoff(self._timing.reconnect_delay, cap_seconds=self._timing.reconnect_cap)

    async def _close(self, client: AsyncRealtimeClient) -> None:
        """Say goodbye, but do not wait long for a peer that is gone: the library would give it ten seconds, and nobody
        reads meanwhile.
        """
        socket = client._ws_connection  # which closing the client forgets
        closing = asyncio.create_task(self._parts.attempt("realtime socket", partial(_close_quietly, client)))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        try:
            await asyncio.wait({closing}, timeout=self._timing.close_timeout)
        finally:
            if socket is not None and not closing.done():
                socket.transport.abort()


def _first(group: BaseExceptionGroup[LossT]) -> LossT:
    """One cause is enough to know: the others follow from it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return cast(LossT, error)


def _whole_seconds(timing: FeedTiming) -> int:
    """The library's own timeouts come after ours, so that ours decide."""
    return math.ceil(max(timing.handshake_timeout, timing.confirm_timeout)) + 1


async def _close_quietly(client: AsyncRealtimeClient) -> None:
    with suppress(*SOCKET_ERRORS):
        await client.close()
