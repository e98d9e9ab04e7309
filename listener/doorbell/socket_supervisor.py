"""Keeps one socket, and the seats on it, alive for ever."""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import cast

from realtime import AsyncRealtimeClient
from websockets.exceptions import InvalidStatus

from listener.doorbell import unreadable_frames
from listener.doorbell.canary import Canary
from listener.doorbell.losses import SocketLost, broken_socket, refused_handshake
from listener.doorbell.observer import FeedObserver
from listener.doorbell.pulse import Pulse
from listener.doorbell.reader_callbacks import ReaderCallbacks
from listener.doorbell.seat import SOCKET_ERRORS, take_seat
from listener.doorbell.timing import FeedTiming
from listener.doorbell.way import SeatRequest
from shared.backoff import Backoff
from shared.supervision import Supervisor

DEFECT = "an unforeseen exception; the log says where: part_failed"


class SocketSupervisor:
    """One socket with all seats that its way of hearing needs: few, and none of them of use without the others.

    So whatever goes wrong with one costs the socket. Each gets a fresh client of the library, told never to reconnect
    by itself: most of what goes wrong leaves a used one silent for good.
    """

    def __init__(
        self,
        url: str,
        key: Callable[[], str],
        *,
        seats: Callable[[], Sequence[SeatRequest]],
        pulse: Pulse,
        canary: Canary,
        callbacks: ReaderCallbacks,
        observer: FeedObserver,
        timing: FeedTiming,
        parts: Supervisor,
    ) -> None:
        """`key` says for each socket with which key it is opened, `seats` what is to be joined."""
        self._parts = parts
        self._url = url
        self._key = key
        self._seats = seats
        self._pulse = pulse
        self._canary = canary
        self._callbacks = callbacks
        self._observer = observer
        self._timing = timing
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Connect, hold, and connect again, until cancelled."""
        unreadable_frames.on_unreadable_frame.set(self._callbacks.on_unreadable_frame)
        backoff = Backoff(self._timing.reconnect_delay, cap_seconds=self._timing.reconnect_cap)
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
        self._pulse.left()
        self._observer.lost(reason, failures=failures)

    async def _hold_socket(self) -> None:
        client = AsyncRealtimeClient(
            self._url, self._key(), auto_reconnect=False, max_retries=1, timeout=_whole_seconds(self._timing)
        )
        try:
            await self._connect(client)
            await self._hold_seats(client)
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

    async def _hold_seats(self, client: AsyncRealtimeClient) -> None:
        """Take all seats, sing once they are taken, and probe them: the first one often, for the socket's sake.

        Raises SocketLost, in a group.
        """
        requests = self._seats()
        timing = self._timing
        confirmed = asyncio.Barrier(len(requests) + 1)

        async def keep_seat(request: SeatRequest, probe_every_seconds: float) -> None:
            async with take_seat(
                client,
                request,
                self._callbacks,
                on_confirmed=self._note_confirmed,
                timeout_seconds=timing.confirm_timeout,
            ) as seat:
                await confirmed.wait()
                hold = partial(
                    seat.hold, probe_every_seconds=probe_every_seconds, probe_timeout_seconds=timing.probe_timeout
                )
                await self._parts.keep("seat", hold, passing=(SocketLost,))

        async def sing() -> None:
            await confirmed.wait()
            await self._parts.keep("canary", self._canary.sing, passing=(SocketLost,))

        async with asyncio.TaskGroup() as holding:
            for number, request in enumerate(requests):
                probe_every_seconds = timing.seat_probe_every if number else timing.probe_every
                holding.create_task(keep_seat(request, probe_every_seconds))
            holding.create_task(sing())

    def _note_confirmed(self) -> None:
        """The server says that rings come, from now on: a beat of the canary is to prove it, soon."""
        self._pulse.confirmed(next_beat=self._canary.next_beat)
        self._canary.sing_soon()

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


def _first(group: BaseExceptionGroup[SocketLost]) -> SocketLost:
    """One cause is enough to know: the others follow from it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return cast(SocketLost, error)


def _whole_seconds(timing: FeedTiming) -> int:
    """The library's own timeouts come after ours, so that ours decide."""
    return math.ceil(max(timing.handshake_timeout, timing.confirm_timeout)) + 1


async def _close_quietly(client: AsyncRealtimeClient) -> None:
    with suppress(*SOCKET_ERRORS):
        await client.close()
