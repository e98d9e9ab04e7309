"""Builds the functions from settings: the one place that chooses their real clients."""

from dataclasses import dataclass

from functions.callers import Callers
from functions.connections import Connections
from functions.endpoint import Endpoint
from functions.health_endpoint import HealthEndpoint
from functions.settings import FunctionsSettings
from functions.trigger_endpoint import TriggerEndpoint
from shared.settings import temporal_connect_config


@dataclass(frozen=True, slots=True)
class Functions:
    """Every function of the image, and what they share."""

    health: Endpoint
    status: Endpoint
    trigger: Endpoint
    connections: Connections


def build(settings: FunctionsSettings) -> Functions:
    """Nothing is opened yet.

    Raises:
        SettingsError: Temporal's connection settings are wrong.
    """
    callers = Callers(
        settings.functions_api_keys,
        settings.daemon_enterprise_ids,
        trust_platform_identity=settings.functions_trust_platform_identity,
    )
    connections = Connections(settings, temporal_connect_config())
    health = HealthEndpoint(callers, connections, task_queue=settings.temporal_task_queue, build=settings.xnovu_build)
    trigger = TriggerEndpoint(callers, connections, settings.temporal_task_queue)
    return Functions(
        health=Endpoint("health", {"GET": health.health}),
        status=Endpoint("status", {"GET": health.status}),
        trigger=Endpoint("trigger", {"GET": trigger.get, "POST": trigger.post}),
        connections=connections,
    )
