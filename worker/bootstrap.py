"""Builds the worker from settings: the one place that chooses its real clients."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from postgrest import AsyncPostgrestClient
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker, WorkerDeploymentConfig

from shared import novu
from shared.heartbeat import Reporter, Reporting, beating
from shared.key_watch import Watched, watching
from shared.keys import Key, key_of
from shared.measured_accounts import MeasuredAccounts
from shared.novu.activity import open_activity
from shared.novu.answers import KEY_NAME
from shared.novu.rates import RateKeeper, limits_of
from shared.novu.subscribers import open_subscribers
from shared.probes import Probes, serving_probes
from shared.process_usage import ProcessUsage
from shared.settings import WorkerSettings, named_novu_keys, temporal_connect_config
from shared.supabase import client as supabase_client
from shared.supabase.delivery_accounts import SupabaseDeliveryAccounts
from shared.supabase.enterprise_store import SupabaseEnterpriseStore
from shared.supabase.heartbeat_store import SupabaseHeartbeatStore
from shared.supabase.notification_store import SupabaseNotificationStore
from shared.supabase.novu_token_store import SupabaseNovuTokens, enterprise_tokens
from shared.supabase.orchestration_store import SupabaseOrchestrationStore
from shared.supabase.recipients import SupabaseRecipientStore
from shared.supabase.retraction_store import SupabaseRetractionStore
from shared.supabase.rule_store import SupabaseRuleStore
from shared.supabase.schedule_store import SupabaseScheduleStore
from shared.supabase.shared_work import SupabaseSharedWork
from shared.supervision import Supervisor
from shared.temporal import client as temporal_client
from shared.temporal.access import TemporalAccess
from shared.temporal.joint_client import Connect
from shared.temporal.names import build_id
from shared.temporal.starters import NotificationProcessingStarter
from worker.activities.addressing import Addressing
from worker.activities.doubt import DoubtRules, Doubts
from worker.activities.notification_delivery import NotificationDelivery
from worker.activities.retraction_cancelling import RetractionCancelling
from worker.activities.rule_firing import RuleFiring
from worker.activities.scheduled_delivery import ScheduledDelivery, SharedSchedule
from worker.activities.scheduler_watch import SchedulerWatch
from worker.delivery_account import AccountedClaims, AccountedTrigger, DeliveryAccount
from worker.delivery_reader import DeliveryReader
from worker.heartbeat import observe
from worker.joined_ports import JoinedFunctions, JoinedTrigger
from worker.measured import MeasuredClaims, MeasuredRenderer, MeasuredTrigger
from worker.novu_accounts import NovuAccount, NovuAccounts
from worker.own_rates import OwnRates, OwnRateTrigger
from worker.registry import VERSIONED_WORKFLOWS, WORKFLOWS, Activities
from worker.render_pool.pool import RenderPool
from worker.served_enterprises import ServedEnterprises
from worker.turns import Turns

log = logging.getLogger("TemporalService")

SHUTDOWN_MARGIN_SECONDS = 1.0
"""Beyond the grace for activities; with the rest of the exit it stays below the ten seconds that Cloud Run gives
(docs/image.md adds them up).
"""

WORKFLOW_TASK_POLLS = 20
"""Half of them for new workflows: with the SDK's own five, and one in five, a single row's waits behind a flood's."""


async def run_alone(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """`run` in a process of its own, which answers probes if PROBE_PORT asks for it.

    Raises:
        SettingsError: Temporal's connection settings are wrong, or nothing can listen on PROBE_PORT.
    """
    parts = Supervisor()
    async with serving_probes(settings.probe_host, settings.probe_port, parts) as probes:
        await parts.keep("worker", partial(run, settings, stop, probes=probes, parts=parts), until=stop)


async def run(
    settings: WorkerSettings,
    stop: asyncio.Event,
    reporting: Reporting | None = None,
    probes: Probes | None = None,
    parts: Supervisor | None = None,
    connect: Connect = temporal_client.connect_unless_stopped,
) -> None:
    """Work until `stop` is set, then finish or hand back what is held. `reporting` makes known how the worker is while
    it runs; unless it is given, heartbeats do. `parts` keeps what runs beside Temporal's worker, which is of one use:
    one that breaks ends this. `connect` connects to Temporal.

    Raises:
        SettingsError: Temporal's connection settings are wrong.
    """
    parts = parts or Supervisor()
    connect_config = temporal_connect_config()
    async with AsyncExitStack() as stack:
        key = key_of("SUPABASE_SERVICE_ROLE_KEY", settings.supabase_service_role_key)
        supabase, http = await supabase_client.connect(settings.supabase_url, key)
        await stack.enter_async_context(http)
        patience_seconds = min(novu.PATIENCE_SECONDS, settings.notification_claim_lease_seconds / 3)
        renderer = RenderPool(on_defect=partial(parts.note, "renderer"))
        stack.push_async_callback(renderer.close)
        await renderer.start()
        log.info("temporal_connecting", extra={"address": settings.temporal_address})
        client = await connect(stop, settings.temporal_address, settings.temporal_namespace, connect_config)
        if client is None:
            return
        account = DeliveryAccount()
        served = ServedEnterprises(settings.worker_enterprise_ids, SupabaseEnterpriseStore(supabase))
        asking = asyncio.create_task(parts.keep("enterprises", served.run), name="enterprises")
        stack.callback(asking.cancel)
        own_rates = OwnRates(
            lambda enterprise_id: served.settings_of(enterprise_id).rate_per_second,
            partial(enterprise_tokens, supabase),
        )
        opening = _Opening(settings, supabase, account, own_rates, patience_seconds)
        keys = {"": key_of("NOVU_SECRET_KEY", settings.novu_secret_key)}
        keys |= {name: key_of(name, secret) for name, secret in named_novu_keys().items()}
        opened = {name: await opening.open(stack, name, key) for name, key in keys.items()}
        accounts = NovuAccounts(opened.pop(""), opened, served.settings_of)
        joined = JoinedFunctions(supabase)
        work = SupabaseSharedWork(supabase)
        starter = NotificationProcessingStarter(client, settings.temporal_task_queue)
        activities = Activities(
            delivery=NotificationDelivery(
                MeasuredClaims(
                    AccountedClaims(
                        SupabaseNotificationStore(
                            supabase,
                            look_after_seconds=settings.look_after_seconds,
                            call=joined,
                        ),
                        account,
                    )
                ),
                OwnRateTrigger(accounts, own_rates, patience_seconds=patience_seconds),
                MeasuredRenderer(renderer),
                Addressing(SupabaseRecipientStore(supabase), accounts.credentials),
                Doubts(accounts.taken, DoubtRules(settings.novu_doubt_wait_seconds, settings.novu_is_idempotent)),
                claim_lease_seconds=settings.notification_claim_lease_seconds,
                turns=accounts,
                any_subscriber_id=settings.any_subscriber_id,
            ),
            retraction=RetractionCancelling(SupabaseRetractionStore(supabase), accounts.cancelling),
            rules=RuleFiring(SupabaseRuleStore(supabase, call=joined), work),
            scheduled=ScheduledDelivery(
                SupabaseScheduleStore(supabase, call=joined), starter, SharedSchedule(work, starter)
            ),
            watch=SchedulerWatch(
                client, settings.temporal_task_queue, SupabaseOrchestrationStore(supabase), serves=served.serves
            ),
        )
        version = _version(settings)
        worker = Worker(
            client,
            task_queue=settings.temporal_task_queue,
            workflows=VERSIONED_WORKFLOWS if version else WORKFLOWS,
            activities=activities.methods(),
            max_concurrent_activities=settings.temporal_max_concurrent_activities,
            max_concurrent_workflow_tasks=settings.temporal_max_concurrent_workflows,
            workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(WORKFLOW_TASK_POLLS),
            nonsticky_to_sticky_poll_ratio=0.5,
            graceful_shutdown_timeout=timedelta(seconds=settings.worker_shutdown_grace_seconds),
            deployment_config=version,
            interceptors=[served],
        )

        def poll_anew() -> None:
            worker.client = client

        access = TemporalAccess(client, connect_config, on_replaced=poll_anew)
        watched: list[Watched] = [key, *keys.values(), access]
        stack.enter_context(watching(parts, watched, settings.secret_files_look_seconds))
        if settings.novu_delivery != "off":
            await stack.enter_async_context(_reading_deliveries(settings, supabase, accounts, parts))
        observing = partial(
            observe,
            worker,
            account,
            settings.worker_enterprise_ids,
            lambda: accounts.lacks(served.novu_key_names()),
        )
        reporter = Reporter(ProcessUsage(settings.xnovu_build), observing, parts)
        reporting = reporting or partial(beating, store=SupabaseHeartbeatStore(supabase))
        await stack.enter_async_context(reporting(reporter))
        if probes:
            stack.enter_context(probes.watching(reporter))
        await _run_until(
            worker, stop, settings.temporal_task_queue, settings.worker_shutdown_grace_seconds + SHUTDOWN_MARGIN_SECONDS
        )


@dataclass(frozen=True, slots=True)
class _Opening:
    """What accounts at Novu have in common."""

    settings: WorkerSettings
    supabase: AsyncPostgrestClient
    account: DeliveryAccount
    own_rates: OwnRates
    patience_seconds: float

    async def open(self, stack: AsyncExitStack, name: str, key: Key) -> NovuAccount:
        """The account of this key; `name` is its variable's, none the deployment's own."""
        settings = self.settings
        key_name = name or KEY_NAME
        rates = RateKeeper(SupabaseNovuTokens(self.supabase, name), limits_of(settings.novu_plan, settings.own_rates))
        events = await stack.enter_async_context(
            novu.open_trigger(
                settings.novu_api_url,
                key,
                rates,
                key_name=key_name,
                timeout_seconds=settings.novu_request_timeout_seconds,
                singly=settings.novu_is_idempotent,
                patience_seconds=self.patience_seconds,
            )
        )
        joined = JoinedTrigger(events, name)
        return NovuAccount(
            trigger=MeasuredTrigger(AccountedTrigger(joined, self.account, tells=not name)),
            cancelling=events,
            taken=events,
            credentials=await stack.enter_async_context(
                open_subscribers(settings.novu_api_url, key, rates, key_name=key_name)
            ),
            activity=await stack.enter_async_context(
                open_activity(settings.novu_api_url, key, rates, key_name=key_name)
            ),
            turns=Turns(
                partial(rates.pace, "trigger"),
                partial(rates.closed, "trigger"),
                large_at_once=max(settings.temporal_max_concurrent_activities // 2, 1),
                own_pace=self.own_rates.pace,
                own_closed=self.own_rates.closed,
            ),
        )


@asynccontextmanager
async def _reading_deliveries(
    settings: WorkerSettings, supabase: AsyncPostgrestClient, accounts: NovuAccounts, parts: Supervisor
) -> AsyncIterator[None]:
    """Ask Novu what became of notifications, within the block."""
    reader = DeliveryReader(
        MeasuredAccounts(SupabaseDeliveryAccounts(supabase)),
        accounts.activity,
        enterprise_ids=settings.worker_enterprise_ids,
        requests_per_second=settings.novu_activity_requests_per_second,
        retention_seconds=settings.novu_retention_hours * 3600,
        follows_reading=settings.novu_delivery == "activity",
    )
    reading = asyncio.create_task(parts.keep("delivery reader", reader.run), name="delivery reader")
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.wait({reading})


def _version(settings: WorkerSettings) -> WorkerDeploymentConfig | None:
    """Which version of the deployment this worker is; None without Worker Versioning (docs/versioning.md)."""
    if settings.temporal_worker_deployment_name is None:
        return None
    version = WorkerDeploymentVersion(settings.temporal_worker_deployment_name, build_id(settings.xnovu_build))
    return WorkerDeploymentConfig(version, use_worker_versioning=True)


async def _run_until(worker: Worker, stop: asyncio.Event, task_queue: str, shutdown_seconds: float) -> None:
    """Run the worker; if it dies by itself, so does this process, with the cause."""
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    log.info("worker_started", extra={"task_queue": task_queue})
    try:
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _shut_down(worker, running, shutdown_seconds)
    finally:
        stopping.cancel()
        running.cancel()  # whatever came between: no worker goes on beside the next one
    log.info("worker_stopped", extra={"task_queue": task_queue})


async def _shut_down(worker: Worker, running: asyncio.Task[None], within_seconds: float) -> None:
    """Let activities finish. While Temporal is gone the SDK would go on offering it their results: the process leaves
    all the same, and the next worker delivers what they have not recorded.
    """
    try:
        async with asyncio.timeout(within_seconds):
            await worker.shutdown()
            await running
    except TimeoutError:
        log.warning("worker_shutdown_incomplete", extra={"seconds": within_seconds})
