"""Realtime: the listener's own seats are given, and a beat that we ring comes back."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from itertools import chain
from typing import Any

from realtime import AsyncRealtimeClient
from websockets.exceptions import InvalidStatus

from cli import patience
from cli.doctor.problem import Problem
from cli.supabase_session import supabase_session
from listener.doorbell import unreadable_frames
from listener.doorbell.ear import PATH
from listener.doorbell.losses import SeatLost, SeatRefused, SocketLost, broken_socket, refused_handshake
from listener.doorbell.seat import SOCKET_ERRORS, take_seat
from listener.doorbell.way import Way
from listener.hearing import WAYS, has_broadcast
from shared.ports import FeedWay, StoreUnavailable
from shared.settings import EnterpriseSettings, FeedSettings, SettingsError, SupabaseSettings
from shared.shards import SHARDS, shards_of
from shared.supabase.notification_store import SupabaseNotificationStore

PROBE_ID = "doctor"
"""Every doctor shares it: any later beat, whoever has rung it, proves the same."""

CONFIRMED_WITHIN_SECONDS = 4.0
"""A cold server takes up to 3 s."""

COMES_BACK_WITHIN_SECONDS = 8.0

_HINT = "xnovu doctor publication; if that is silent, Supabase's Realtime log says more."

_HINTS = {
    401: "SUPABASE_SERVICE_ROLE_KEY is of another project, withdrawn or expired.",
    403: "Realtime is switched off for this project, or the project is paused: see Supabase's dashboard.",
    404: "Realtime knows no such project: check NEXT_PUBLIC_SUPABASE_URL, and whether the project still exists.",
    429: "a limit of the project's Realtime is reached (connections, joins a second): close clients or raise it.",
}
_HINT_NOTHING_FLOWS = (
    "look for a transaction that stays open (pg_stat_activity, xact_start): it holds up Realtime's replication slot; if"
    " there is none, restart Realtime or the project: its log says why nothing is polled."
)
_HINT_FULL = "raise the project's channels per client (max_channels_per_client)."


async def check_realtime() -> list[Problem]:
    """Each way that the listener may hear, as FEED says; one problem of each at most, as what comes later depends on
    what came before. What ails both is told once.
    """
    settings = SupabaseSettings.load()
    unreadable_frames.install()
    try:
        async with supabase_session(settings) as supabase:
            store = SupabaseNotificationStore(supabase)
            found = await asyncio.gather(*(_try(settings, store, way) for way in await _ways(store)))
            return list(dict.fromkeys(chain.from_iterable(found)))
    except StoreUnavailable as unavailable:
        return [Problem(f"no beat can be rung: {unavailable}", "xnovu doctor supabase", "realtime")]


async def _ways(store: SupabaseNotificationStore) -> Sequence[Way]:
    choice = FeedSettings.load().feed
    if choice != "auto":
        return [WAYS[FeedWay(choice)]]
    wanted = [FeedWay.BROADCAST] if await has_broadcast(store) else []
    return [WAYS[each] for each in (*wanted, FeedWay.POSTGRES_CHANGES)]


async def _try(settings: SupabaseSettings, store: SupabaseNotificationStore, way: Way) -> list[Problem]:
    """Raises StoreUnavailable."""
    key = settings.supabase_service_role_key.get_secret_value()
    client = AsyncRealtimeClient(f"{settings.supabase_url}{PATH}", key, auto_reconnect=False, max_retries=1)
    try:
        await _connect(client)
        return await _probe(client, store, way)
    except SeatRefused as refused:
        hint = _HINT_FULL if refused.is_full else _HINTS[429] if refused.wait_at_least_seconds else _HINT
        return [Problem(f"Realtime lets no seat be taken for {way.name}: {refused.reason}", hint, "realtime")]
    except SeatLost as lost:
        message = f"Realtime does not confirm the listener's subscription by {way.name}: {lost.reason}"
        return [Problem(message, _HINT, "realtime")]
    except SocketLost as lost:
        hint = _HINTS.get(lost.http_status or 0, _HINT)
        return [Problem(f"no connection to Realtime: {lost.reason}", hint, "realtime")]
    finally:
        with suppress(*SOCKET_ERRORS):
            await client.close()


async def _connect(client: AsyncRealtimeClient) -> None:
    try:
        async with asyncio.timeout(patience.ANSWERS_WITHIN_SECONDS):
            await client.connect()
    except InvalidStatus as error:
        raise refused_handshake(error) from None
    except TimeoutError:
        raise SocketLost(f"no answer within {patience.ANSWERS_WITHIN_SECONDS:g} s") from None
    except SOCKET_ERRORS as error:
        raise broken_socket(error) from None


def _shards() -> Collection[int]:
    """Those of the listener's enterprises, where its setting is at hand: they decide which seats it takes."""
    try:
        listed = EnterpriseSettings.load().listed_enterprise_ids
    except SettingsError:
        listed = (PROBE_ID,)
    return range(SHARDS) if listed is None else shards_of(listed)


class _Beats:
    """Hears nothing but beats."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[int] = asyncio.Queue()

    def on_beat(self, beat: Any) -> None:
        if isinstance(beat, int):
            self.heard.put_nowait(beat)

    def on_ring(self, ring: Any, committed_at: datetime | None = None) -> None:
        """Somebody else's."""

    def on_unreadable(self, reason: str) -> None:
        """Not a beat."""


async def _probe(client: AsyncRealtimeClient, store: SupabaseNotificationStore, way: Way) -> list[Problem]:
    beats = _Beats()
    async with AsyncExitStack() as taken:
        for request in way.seats(PROBE_ID, _shards()):
            seat = take_seat(
                client, request, beats, on_confirmed=lambda: None, timeout_seconds=CONFIRMED_WITHIN_SECONDS
            )
            await taken.enter_async_context(seat)
        beat = await store.sing(PROBE_ID, way.name)
        try:
            async with asyncio.timeout(COMES_BACK_WITHIN_SECONDS):
                while await beats.heard.get() < beat:
                    pass
        except TimeoutError:
            message = (
                f"subscribed by {way.name}, but a beat that was rung did not come back within"
                f" {COMES_BACK_WITHIN_SECONDS:g} s"
            )
            return [Problem(message, _HINT_NOTHING_FLOWS, "realtime")]
    return []
