"""Builds the listener from settings: the one place that chooses its real clients."""

import asyncio
import json
import logging
import secrets
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256

from temporalio.client import Client

from listener.backlog import Backlog
from listener.counters import ListenerCounters
from listener.doorbell.timing import FeedTiming
from listener.hearing import feed_for
from listener.heartbeat import observe, observe_briefly
from listener.listener import Listener
from listener.observed import observe_listener
from listener.orchestration_keeper import OrchestrationKeeper
from listener.roster import Roster
from listener.sharing.shares import ALIVE_SECONDS, Shares
from listener.workflows import Work, Workflows, by_portions
from shared import telemetry
from shared.heartbeat import Reporter, Reporting, beating
from shared.key_watch import watching
from shared.keys import key_of
from shared.probes import Probes, serving_probes
from shared.process_usage import ProcessUsage
from shared.settings import ListenerSettings, temporal_connect_config
from shared.shards import SHARDS
from shared.supabase import client as supabase_client
from shared.supabase.enterprise_store import SupabaseEnterpriseStore
from shared.supabase.heartbeat_store import SupabaseHeartbeatStore
from shared.supabase.notification_store import SupabaseNotificationStore
from shared.supabase.orchestration_store import SupabaseOrchestrationStore
from shared.supabase.share_store import SupabaseShareStore
from shared.supervision import Supervisor
from shared.temporal import client as temporal_client
from shared.temporal.access import TemporalAccess
from shared.temporal.joint_client import Connect
from shared.temporal.orchestration import Orchestration
from shared.temporal.schedulers import Schedulers
from shared.temporal.starters import NotificationProcessingStarter, NotificationRetractionStarter
from shared.temporal.task_queues import read_task_queues

log = logging.getLogger("EnhancedSubscriptionManager")


async def run_alone(settings: ListenerSettings, stop: asyncio.Event) -> None:
    """`run` in a process of its own, which answers probes if PROBE_PORT asks for it.

    Raises:
        SettingsError: Temporal's connection settings are wrong, or nothing can listen on PROBE_PORT.
    """
    parts = Supervisor()
    async with serving_probes(settings.probe_host, settings.probe_port, parts) as probes:
        await parts.keep("listener", partial(run, settings, stop, probes=probes, parts=parts), until=stop)


async def run(
    settings: ListenerSettings,
    stop: asyncio.Event,
    reporting: Reporting | None = None,
    probes: Probes | None = None,
    parts: Supervisor | None = None,
    connect: Connect = temporal_client.connect_unless_stopped,
) -> None:
    """Listen until `stop` is set, then drain. `reporting` makes known how the listener is while it runs; unless it is
    given, heartbeats do. `parts` keeps what it consists of; `connect` connects to Temporal.

    Raises:
        SettingsError: Temporal's connection settings are wrong.
    """
    parts = parts or Supervisor()
    connect_config = temporal_connect_config()
    key = key_of("SUPABASE_SERVICE_ROLE_KEY", settings.supabase_service_role_key)
    interval_seconds = settings.subscription_health_check_interval_ms / 1000
    async with AsyncExitStack() as stack:
        supabase, http = await supabase_client.connect(settings.supabase_url, key)
        await stack.enter_async_context(http)
        store = SupabaseNotificationStore(supabase)
        log.info("temporal_connecting", extra={"address": settings.temporal_address})
        temporal = await connect(stop, settings.temporal_address, settings.temporal_namespace, connect_config)
        if temporal is None:
            return
        access = TemporalAccess(temporal, connect_config)
        stack.enter_context(watching(parts, (key, access), settings.secret_files_look_seconds))
        asked = workflows(temporal, settings.temporal_task_queue)
        counters = ListenerCounters()
        roster = Roster(settings.listed_enterprise_ids)
        keeper = OrchestrationKeeper(asked, roster.schedulers, counters, interval_seconds=interval_seconds)
        timing = FeedTiming(
            reconnect_delay=settings.subscription_reconnect_delay_ms / 1000, seat_probe_every=interval_seconds
        )

        def listener_for(enterprises: Roster) -> Listener:
            feed = feed_for(
                settings.feed,
                settings.supabase_url,
                lambda: key.current,
                enterprises,
                store,
                max_retries=settings.subscription_max_retries,
                timing=timing,
                parts=parts,
            )
            return Listener(
                feed,
                store,
                asked,
                enterprises,
                sweep_interval_seconds=interval_seconds,
                parts=parts,
                counters=counters,
                keeper=keeper,
            )

        listener_id = secrets.token_hex(8)
        share_store = SupabaseShareStore(supabase, deployment_of(settings), ALIVE_SECONDS)
        listener = Shares(share_store, listener_id, roster, listener_for, counters=counters, parts=parts)
        if telemetry.measures():
            observe_listener(listener)
            backlog = Backlog(
                SupabaseOrchestrationStore(supabase),
                partial(read_task_queues, temporal, settings.temporal_task_queue),
                roster,
            )
            backlog.observe()
            counting = asyncio.create_task(parts.keep("backlog watch", backlog.run), name="backlog watch")
            stack.callback(counting.cancel)
        serves_everybody = roster.listed is None
        reporter = Reporter(
            ProcessUsage(settings.xnovu_build),
            partial(observe, listener, serves_everybody=serves_everybody),
            parts,
            component_id=listener_id,
            brief=partial(observe_briefly, listener, serves_everybody=serves_everybody),
        )
        reporting = reporting or partial(beating, store=SupabaseHeartbeatStore(supabase))
        await stack.enter_async_context(reporting(reporter))
        if probes:
            stack.enter_context(probes.watching(reporter))
        log.info("listener_started", extra={"enterprises": len(roster) if roster.listed is not None else "every one"})
        keeping = asyncio.create_task(parts.keep("orchestration keeper", keeper.run), name="orchestration keeper")
        stack.callback(keeping.cancel)
        asking = asyncio.create_task(
            parts.keep("enterprises", partial(roster.run, SupabaseEnterpriseStore(supabase))), name="enterprises"
        )
        stack.callback(asking.cancel)
        await listener.run(stop)


def deployment_of(settings: ListenerSettings) -> str:
    """The same for listeners that do the same for the same enterprises: these share them."""
    ours = (
        SHARDS,
        settings.temporal_address,
        settings.temporal_namespace,
        settings.temporal_task_queue,
        *sorted(settings.daemon_enterprise_ids),
    )
    return sha256(json.dumps(ours).encode()).hexdigest()[:32]


def workflows(client: Client, task_queue: str) -> Workflows:
    """All that the listener asks of Temporal, through one client."""
    orchestration = Orchestration(client, task_queue)
    schedulers = Schedulers(client, task_queue, orchestration)
    processing = NotificationProcessingStarter(client, task_queue)
    return Workflows(
        start={
            Work.PROCESSING: by_portions(processing),
            Work.RETRACTION: by_portions(NotificationRetractionStarter(client, task_queue)),
        },
        until_done=lambda portion: processing.wait(portion.enterprise_id, portion.notification_ids),
        rules_changed=schedulers.rules_changed,
        row_due_at=schedulers.row_due_at,
        join_orchestration=orchestration.join,
        observe_orchestration=orchestration.observe,
    )
