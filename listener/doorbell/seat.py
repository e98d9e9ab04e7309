"""A seat: one channel on which rings come, on a socket that others share."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from realtime import (
    AsyncRealtimeChannel,
    AsyncRealtimeClient,
    ChannelEvents,
    NotConnectedError,
    RealtimeAcknowledgementStatus,
    RealtimeSubscribeStates,
)
from realtime.types import RealtimeChannelOptions
from websockets.exceptions import WebSocketException

from listener.doorbell.losses import SeatLost, SeatNotConfirmed, SeatRefused, SocketLost, broken_socket
from listener.doorbell.way import Hearer, SeatRequest

SOCKET_ERRORS = (OSError, NotConnectedError, WebSocketException)


class Seat:
    """A confirmed subscription. It is lost sooner or later: `hold` says when, and why."""

    def __init__(self, channel: AsyncRealtimeChannel, lost: asyncio.Future[str]) -> None:
        self._channel = channel
        self._lost = lost

    async def hold(self, *, probe_every_seconds: float, probe_timeout_seconds: float) -> None:
        """Probe the seat for ever.

        Raises:
            SeatLost: the server ended the subscription, or no longer knows of it.
            SocketLost: a probe was not answered: the peer is gone, or the library's reader is.
        """
        while True:
            await _first_of(self._lost, timeout_seconds=probe_every_seconds)
            if self._lost.done():
                raise SeatLost(self._lost.result())
            await self._probe(probe_timeout_seconds)

    async def _probe(self, timeout_seconds: float) -> None:
        """An acknowledged broadcast, to nobody: the server's channel process answers it itself."""
        answered: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        push = await self._channel.push(ChannelEvents.broadcast, {"type": "broadcast", "event": "probe", "payload": {}})
        push.receive(RealtimeAcknowledgementStatus.Ok, lambda _: _settle(answered, None))
        push.receive(RealtimeAcknowledgementStatus.Error, lambda answer: _settle(answered, json.dumps(answer)))
        await _first_of(answered, self._lost, timeout_seconds=timeout_seconds)
        if self._lost.done():
            raise SeatLost(self._lost.result())
        if not answered.done():
            raise SocketLost(f"no answer within {timeout_seconds} s")
        if answered.result() is not None:
            raise SeatLost(f"the server no longer knows of the seat: {answered.result()}")


@asynccontextmanager
async def take_seat(
    client: AsyncRealtimeClient,
    request: SeatRequest,
    hearer: Hearer,
    *,
    on_confirmed: Callable[[], None],
    timeout_seconds: float,
) -> AsyncIterator[Seat]:
    """Join a channel, and leave it at the end.

    `on_confirmed` is called whenever the server says that rings come, the first time before this returns, later when
    they may have been interrupted. It may neither raise nor wait: the library's reader calls it.

    Raises:
        SeatLost: the server does not know what is asked for (SeatRefused: it lets nobody in; SeatNotConfirmed: it did
            not confirm the seat in time).
        SocketLost: the socket broke.
    """
    loop = asyncio.get_running_loop()
    lost: asyncio.Future[str] = loop.create_future()
    let_in: asyncio.Future[None] = loop.create_future()
    confirmed: asyncio.Future[None] = loop.create_future()

    def on_state(state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if state is RealtimeSubscribeStates.SUBSCRIBED:  # which comes before the database is asked at all
            _settle(let_in, None)
        else:
            _settle(lost, f"{state.value}: {error}" if error else state.value)

    def on_system(message: Any) -> None:
        if message.extension == request.confirmed_by and not lost.done():
            _settle(confirmed, None)
            on_confirmed()

    channel = client.channel(request.topic, _options(request))
    channel.on_system(on_system)
    request.attach(channel, hearer)
    try:
        await _knock(client, channel, on_state, let_in, lost, timeout_seconds)
        await _be_confirmed(confirmed, lost, timeout_seconds)
        yield Seat(channel, lost)
    except SOCKET_ERRORS as error:
        raise broken_socket(error) from None
    finally:
        _settle(lost, "left")
        if client.is_connected:
            with suppress(*SOCKET_ERRORS):
                await channel.unsubscribe()


async def _knock(
    client: AsyncRealtimeClient,
    channel: AsyncRealtimeChannel,
    on_state: Callable[[RealtimeSubscribeStates, Exception | None], None],
    let_in: asyncio.Future[None],
    lost: asyncio.Future[str],
    timeout_seconds: float,
) -> None:
    if not client.is_connected:  # the library would quietly connect anew
        raise SocketLost("the socket closed")
    try:
        async with asyncio.timeout(timeout_seconds):
            await channel.subscribe(on_state)
            await _first_of(let_in, lost)
    except TimeoutError:
        raise SeatNotConfirmed(f"no answer to the join within {timeout_seconds} s") from None
    if not let_in.done():
        raise SeatRefused(lost.result())


async def _be_confirmed(confirmed: asyncio.Future[None], lost: asyncio.Future[str], timeout_seconds: float) -> None:
    await _first_of(confirmed, lost, timeout_seconds=timeout_seconds)
    if lost.done():
        raise SeatLost(lost.result())
    if not confirmed.done():
        raise SeatNotConfirmed(f"not confirmed within {timeout_seconds} s")


def _options(request: SeatRequest) -> RealtimeChannelOptions:
    """Broadcasts are acknowledged, for the probe; the library writes into what it is given, so each gets its own."""
    options = {
        "config": {
            "broadcast": {"ack": True, "self": False, **request.broadcast},
            "presence": {"key": "", "enabled": False},
            "private": request.private,
        }
    }
    return cast(RealtimeChannelOptions, options)


async def _first_of(*futures: "asyncio.Future[Any]", timeout_seconds: float | None = None) -> None:
    await asyncio.wait(futures, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)


def _settle(future: "asyncio.Future[Any]", value: Any) -> None:
    """Set a result once; what follows is of no interest."""
    if not future.done():
        future.set_result(value)
