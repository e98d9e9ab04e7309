"""Builds the functions from settings: the one place that chooses their real clients."""

from dataclasses import dataclass
from functools import partial

from functions.autoscale_endpoint import AutoscaleEndpoint
from functions.autoscale_settings import AutoscaleSettings
from functions.callers import Callers
from functions.connections import Connections, SupabaseConnection
from functions.endpoint import Endpoint
from functions.health_endpoint import HealthEndpoint
from functions.looks import CALL_SECONDS
from functions.platform_identity import is_on_cloud_run
from functions.rates import Rates
from functions.settings import FunctionsSettings
from functions.trigger_endpoint import TriggerEndpoint
from functions.webhook_endpoint import WebhookEndpoint
from functions.webhook_settings import WebhookSettings
from functions.webhook_signatures import Signatures
from shared.measured_accounts import MeasuredAccounts
from shared.ports import DeliveryAccounts
from shared.settings import SettingsError, temporal_connect_config
from shared.supabase.delivery_accounts import SupabaseDeliveryAccounts


@dataclass(frozen=True, slots=True)
class Functions:
    """Every function of the image, and what they share; `autoscale` only where its settings are."""

    health: Endpoint
    status: Endpoint
    trigger: Endpoint
    autoscale: Endpoint | None
    connections: Connections


def build(settings: FunctionsSettings) -> Functions:
    """Nothing is opened yet.

    Raises:
        SettingsError: Temporal's connection settings are wrong, or the platform's word is to be taken elsewhere than on
            Cloud Run.
    """
    if settings.functions_trust_platform_identity and not is_on_cloud_run():
        raise SettingsError(
            [
                "FUNCTIONS_TRUST_PLATFORM_IDENTITY: must be false here: away from Cloud Run (K_SERVICE, K_REVISION,"
                " K_CONFIGURATION and its metadata server) nobody has verified callers' identity tokens"
            ]
        )
    callers = Callers(
        settings.functions_api_keys,
        settings.listed_enterprise_ids,
        trust_platform_identity=settings.functions_trust_platform_identity,
    )
    connections = Connections(settings, temporal_connect_config())
    health = HealthEndpoint(
        callers,
        connections,
        task_queue=settings.temporal_task_queue,
        build=settings.xnovu_build,
        enterprise_ids=settings.daemon_enterprise_ids,
    )
    trigger = TriggerEndpoint(
        callers,
        Rates(settings.functions_trigger_calls_per_second, settings.functions_trigger_burst),
        connections,
        settings.temporal_task_queue,
        any_subscriber_id=settings.any_subscriber_id,
        shares_schedulers=settings.listed_enterprise_ids is None,
    )
    return Functions(
        health=Endpoint("health", {"GET": health.health}),
        status=Endpoint("status", {"GET": health.status}),
        trigger=Endpoint("trigger", {"GET": trigger.get, "POST": trigger.post}),
        autoscale=_autoscale(settings, callers, connections) if isinstance(settings, AutoscaleSettings) else None,
        connections=connections,
    )


@dataclass(frozen=True, slots=True)
class WebhookFunction:
    """The one function that anybody may call, and all that it can reach: the database."""

    webhook: Endpoint
    connections: SupabaseConnection


def build_webhook(settings: WebhookSettings) -> WebhookFunction:
    """Nothing is opened yet."""
    connections = SupabaseConnection(settings)

    async def open_accounts() -> DeliveryAccounts:
        return MeasuredAccounts(SupabaseDeliveryAccounts(await connections.supabase()))

    webhook = WebhookEndpoint(Signatures(settings.novu_webhook_secrets), open_accounts)
    return WebhookFunction(Endpoint("webhook", {"POST": webhook.post}), connections)


def _autoscale(settings: AutoscaleSettings, callers: Callers, connections: Connections) -> Endpoint:
    # For this function alone: the others have no use for the half second and the sixty megabytes that it takes.
    from shared.cloud_run.worker_pool import CloudRunWorkerPool

    autoscale = AutoscaleEndpoint(
        callers,
        connections,
        task_queue=settings.temporal_task_queue,
        pools=settings.pools(),
        open_pool=partial(CloudRunWorkerPool, endpoint=settings.autoscale_cloud_run_endpoint),
    )
    # Calls are far apart: what is measured is sent with the call, as there may be no processor time for it afterwards.
    return Endpoint("autoscale", {"POST": autoscale.post}, deadline_seconds=CALL_SECONDS, flushes_telemetry=True)
