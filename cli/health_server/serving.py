"""Serves health for as long as the daemon runs, drain included."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime

import uvicorn

from cli.health_server.application import application
from cli.health_server.history import History
from cli.health_server.live import LiveComponents
from cli.health_server.page import StatusPage
from shared.health_monitor import LOOK_EVERY_SECONDS, HealthMonitor
from shared.heartbeat import withdraw
from shared.process_usage import ProcessUsage
from shared.settings import DaemonSettings, temporal_connect_config
from shared.supabase import client as supabase_client
from shared.supabase.health_store import SupabaseHealthStore
from shared.supabase.heartbeat_store import SupabaseHeartbeatStore
from shared.temporal import client as temporal_client
from shared.temporal.observation import TemporalObserver

log = logging.getLogger("HealthMonitor")

LAST_ANSWERS_WITHIN_SECONDS = 1


class HealthPortTaken(Exception):
    """Nobody can listen there."""


class _Server(uvicorn.Server):
    """Leaves signals to the daemon."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(settings: DaemonSettings, live: LiveComponents) -> AsyncIterator[None]:
    """Serve within the block, on DAEMON_HEALTH_HOST and DAEMON_HEALTH_PORT; tell others how what runs here is.

    Raises:
        HealthPortTaken: with a message for the operator.
        SettingsError: Temporal's connection settings are wrong.
    """
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(listen(settings.daemon_health_host, settings.daemon_health_port))
        supabase, http = await supabase_client.connect(
            settings.supabase_url, settings.supabase_service_role_key.get_secret_value()
        )
        await stack.enter_async_context(http)
        temporal = await temporal_client.connect_at_first_call(
            settings.temporal_address, settings.temporal_namespace, temporal_connect_config()
        )
        monitor = HealthMonitor(
            SupabaseHealthStore(supabase),
            TemporalObserver(temporal, settings.temporal_task_queue),
            ProcessUsage(settings.xnovu_build).observe,
            own_reports=live.reports,
            heartbeats=live.heartbeats,
        )
        async with serving_at(listening, monitor, StatusPage(settings.temporal_ui_url, settings.temporal_namespace)):
            yield
        await withdraw(live.component_ids, SupabaseHeartbeatStore(supabase))


@asynccontextmanager
async def serving_at(
    listening: socket.socket,
    monitor: HealthMonitor,
    page: StatusPage,
    *,
    history: History | None = None,
    look_every_seconds: float = LOOK_EVERY_SECONDS,
) -> AsyncIterator[None]:
    """Serve what this monitor observes, within the block."""
    history = History() if history is None else history
    server = _Server(
        uvicorn.Config(
            application(monitor, history, page),
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LAST_ANSWERS_WITHIN_SECONDS,
        )
    )
    async with asyncio.TaskGroup() as parts:
        watching = parts.create_task(
            monitor.run(look_every_seconds, lambda: history.note(monitor.observations(), datetime.now(UTC))),
            name="health monitor",
        )
        parts.create_task(server.serve(sockets=[listening]), name="health server")
        host, port = listening.getsockname()[:2]
        log.info("health_server_started", extra={"host": host, "port": port})
        try:
            yield
        finally:
            server.should_exit = True
            watching.cancel()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises HealthPortTaken."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise HealthPortTaken(
            f"nothing can listen on {host}:{port} ({error.strerror}): choose another port with --health-port or"
            " DAEMON_HEALTH_PORT, another address with DAEMON_HEALTH_HOST"
        ) from error
