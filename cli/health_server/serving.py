"""Serves health for as long as the daemon runs, drain included."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from cli.health_server.application import application
from cli.health_server.history import History
from cli.health_server.live import LiveComponents
from cli.health_server.metrics import HealthMetrics
from cli.health_server.page import StatusPage
from cli.health_server.trace_page import Tracing
from shared import http_server
from shared.health.assessment import report_status
from shared.health_monitor import LOOK_EVERY_SECONDS, HealthMonitor
from shared.heartbeat import withdraw
from shared.key_watch import watching
from shared.keys import key_of
from shared.process_usage import ProcessUsage
from shared.settings import DaemonSettings, temporal_connect_config
from shared.supabase import client as supabase_client
from shared.supabase.health_store import SupabaseHealthStore
from shared.supabase.heartbeat_store import SupabaseHeartbeatStore
from shared.supervision import Supervisor
from shared.temporal import client as temporal_client
from shared.temporal.access import TemporalAccess
from shared.temporal.observation import TemporalObserver

log = logging.getLogger("HealthMonitor")


class HealthPortTaken(Exception):
    """Nobody can listen there."""


@asynccontextmanager
async def serving(
    settings: DaemonSettings, live: LiveComponents, parts: Supervisor, trace: Tracing | None = None
) -> AsyncIterator[None]:
    """Serve within the block, on DAEMON_HEALTH_HOST and DAEMON_HEALTH_PORT; tell others how what runs here is. `parts`
    are the daemon's. With `trace` the inbox's links lead somewhere, too.

    Raises:
        HealthPortTaken: with a message for the operator.
        SettingsError: Temporal's connection settings are wrong.
    """
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(listen(settings.daemon_health_host, settings.daemon_health_port))
        key = key_of("SUPABASE_SERVICE_ROLE_KEY", settings.supabase_service_role_key)
        supabase, http = await supabase_client.connect(settings.supabase_url, key)
        await stack.enter_async_context(http)
        connect_config = temporal_connect_config()
        temporal = await temporal_client.connect_at_first_call(
            settings.temporal_address, settings.temporal_namespace, connect_config
        )
        access = TemporalAccess(temporal, connect_config)
        stack.enter_context(watching(parts, (key, access), settings.secret_files_look_seconds))
        monitor = HealthMonitor(
            SupabaseHealthStore(supabase),
            TemporalObserver(temporal, settings.temporal_task_queue),
            ProcessUsage(settings.xnovu_build).observe,
            own_reports=live.reports,
            heartbeats=live.heartbeats,
            failing=parts.failing,
            expected=settings.listed_enterprise_ids or (),
        )
        # After the last look, which could publish them once more.
        withdrawing = partial(withdraw, live.component_ids, SupabaseHeartbeatStore(supabase))
        stack.push_async_callback(parts.attempt, "heartbeat", withdrawing)
        await stack.enter_async_context(
            serving_at(
                listening,
                monitor,
                StatusPage(settings.temporal_ui_url, settings.temporal_namespace, settings.inbox_url),
                trace=trace,
                host_names=(settings.daemon_health_host, *settings.daemon_health_allowed_hosts),
                parts=parts,
            )
        )
        yield


@asynccontextmanager
async def serving_at(
    listening: socket.socket,
    monitor: HealthMonitor,
    page: StatusPage,
    *,
    history: History | None = None,
    host_names: Collection[str] = (),
    look_every_seconds: float = LOOK_EVERY_SECONDS,
    parts: Supervisor | None = None,
    trace: Tracing | None = None,
) -> AsyncIterator[None]:
    """Serve what this monitor observes, within the block; `parts` keeps the monitor and the server. With `trace` it is
    told what became of one notification, too.
    """
    history = History() if history is None else history
    parts = parts or Supervisor()
    measured = HealthMetrics()

    def note() -> None:
        now = datetime.now(UTC)
        history.note(monitor.database, now)
        measured.note(report_status(monitor.observations(), now))

    looking = parts.keep("health monitor", partial(monitor.run, look_every_seconds, note))
    watching = asyncio.create_task(looking, name="health monitor")
    answers = application(monitor, history, page, host_names=host_names, trace=trace)
    try:
        async with http_server.serving(answers, listening, parts, "health server"):
            host, port = listening.getsockname()[:2]
            log.info("health_server_started", extra={"host": host, "port": port})
            yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises HealthPortTaken."""
    try:
        return http_server.listen(host, port)
    except OSError as error:
        raise HealthPortTaken(
            f"nothing can listen on {host}:{port} ({error.strerror}): choose another port with --health-port or"
            " DAEMON_HEALTH_PORT, another address with DAEMON_HEALTH_HOST"
        ) from None
