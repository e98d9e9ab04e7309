"""Temporal: reachable, and the namespace there."""

from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import RPCError, RPCStatusCode

from cli import patience
from cli.doctor.problem import Problem
from shared.settings import TemporalSettings, temporal_connect_config
from shared.temporal.client import connect_once
from shared.temporal.reason import temporal_reason

WITHIN = timedelta(seconds=patience.ANSWERS_WITHIN_SECONDS)

_HINTS = {
    RPCStatusCode.NOT_FOUND: "create it, or correct TEMPORAL_NAMESPACE.",
    RPCStatusCode.UNAUTHENTICATED: "check TEMPORAL_API_KEY or the client certificate.",
    RPCStatusCode.PERMISSION_DENIED: "the key or certificate has no access to this namespace.",
}


async def check_temporal() -> list[Problem]:
    """One problem at most."""
    settings = TemporalSettings.load()
    namespace = settings.temporal_namespace
    try:
        client = await connect_once(settings.temporal_address, namespace, temporal_connect_config(), within=WITHIN)
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace), timeout=WITHIN)
    except RPCError as error:
        hint = _HINTS.get(error.status, "Temporal's own log may say more.")
        return [
            Problem(f"namespace {namespace} at {settings.temporal_address}: {temporal_reason(error)}", hint, "temporal")
        ]
    except RuntimeError as error:
        hint = "check TEMPORAL_ADDRESS and the TEMPORAL_TLS settings."
        return [Problem(f"no connection to {settings.temporal_address}: {temporal_reason(error)}", hint, "temporal")]
    return []
