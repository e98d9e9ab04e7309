"""Realtime: the listener's own subscriptions are confirmed, and a row that we write comes back as a change."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import Any

from realtime import AsyncRealtimeClient
from websockets.exceptions import InvalidStatus

from cli.doctor.problem import Problem
from cli.supabase_session import supabase_session
from listener.postgres_changes import unreadable_frames
from listener.postgres_changes.enterprise_subscription import enterprise_subscription
from listener.postgres_changes.feed import PATH, SEATS_PER_SOCKET
from listener.postgres_changes.losses import SeatLost, SeatRefused, SocketLost, broken_socket, refused_handshake
from listener.postgres_changes.seat import SOCKET_ERRORS, Interest, Seat, Subscription, take_seat
from shared.ports import StoreUnavailable
from shared.settings import EnterpriseSettings, SettingsError, SupabaseSettings
from shared.supabase.notification_store import SupabaseNotificationStore

PROBE_ID = "doctor"
"""The canary row that every doctor shares: any later beat of it proves the same."""

CONFIRMED_WITHIN_SECONDS = 10.0
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
_HINT_FULL = "raise the project's channels per client (max_channels_per_client), or its listeners open more sockets."


async def check_realtime() -> list[Problem]:
    """One problem at most: what comes later depends on what came before."""
    settings = SupabaseSettings.load()
    key = settings.supabase_service_role_key.get_secret_value()
    unreadable_frames.install()
    client = AsyncRealtimeClient(f"{settings.supabase_url}{PATH}", key, auto_reconnect=False, max_retries=1)
    try:
        await _connect(client)
        async with supabase_session(settings) as supabase:
            return await _probe(client, SupabaseNotificationStore(supabase), _seats_wanted())
    except SocketLost as lost:
        hint = _HINTS.get(lost.http_status or 0, _HINT)
        return [Problem(f"no connection to Realtime: {lost.reason}", hint, "realtime")]
    except SeatRefused as refused:
        hint = _HINTS[429] if refused.wait_at_least_seconds else _HINT
        return [Problem(f"Realtime lets no seat be taken: {refused.reason}", hint, "realtime")]
    except SeatLost as lost:
        return [Problem(f"Realtime does not confirm the listener's subscription: {lost.reason}", _HINT, "realtime")]
    except StoreUnavailable as unavailable:
        return [Problem(f"the probe row cannot be written: {unavailable}", "xnovu doctor supabase", "realtime")]
    finally:
        with suppress(*SOCKET_ERRORS):
            await client.close()


async def _connect(client: AsyncRealtimeClient) -> None:
    try:
        async with asyncio.timeout(CONFIRMED_WITHIN_SECONDS):
            await client.connect()
    except InvalidStatus as error:
        raise refused_handshake(error) from None
    except TimeoutError:
        raise SocketLost(f"no answer within {CONFIRMED_WITHIN_SECONDS:g} s") from None
    except SOCKET_ERRORS as error:
        raise broken_socket(error) from None


def _seats_wanted() -> int:
    """Of enterprises on one socket, as the listener takes them; one where nobody says how many there are."""
    try:
        return min(len(EnterpriseSettings.load().daemon_enterprise_ids), SEATS_PER_SOCKET)
    except SettingsError:
        return 1


async def _probe(client: AsyncRealtimeClient, store: SupabaseNotificationStore, seats: int) -> list[Problem]:
    heard: asyncio.Queue[int] = asyncio.Queue()

    def on_change(data: Mapping[str, Any]) -> None:
        beat = (data.get("record") or {}).get("beat")
        if isinstance(beat, int):
            heard.put_nowait(beat)

    canary = Subscription(
        f"canary-{PROBE_ID}",
        [Interest("listener_canary", filter=f"listener_id=eq.{PROBE_ID}", columns=("listener_id", "beat"))],
    )
    async with AsyncExitStack() as taken:
        await taken.enter_async_context(_seat(client, canary, on_change))
        for number in range(seats):
            try:
                await taken.enter_async_context(_seat(client, enterprise_subscription(PROBE_ID), lambda _: None))
            except SeatRefused as refused:
                if not refused.is_full:
                    raise
                message = f"a socket has room for {number + 1} channels, and {seats + 1} are wanted: {refused.reason}"
                return [Problem(message, _HINT_FULL, "realtime")]
        beat = await store.beat_canary(PROBE_ID)
        try:
            async with asyncio.timeout(COMES_BACK_WITHIN_SECONDS):
                while await heard.get() < beat:
                    pass
        except TimeoutError:
            message = f"subscribed, but a row that was written did not come back within {COMES_BACK_WITHIN_SECONDS:g} s"
            return [Problem(message, _HINT_NOTHING_FLOWS, "realtime")]
    return []


def _seat(
    client: AsyncRealtimeClient, subscription: Subscription, on_change: Callable[[Mapping[str, Any]], None]
) -> AbstractAsyncContextManager[Seat]:
    return take_seat(
        client,
        subscription,
        on_change=on_change,
        on_subscribed=lambda: None,
        timeout_seconds=CONFIRMED_WITHIN_SECONDS,
    )
