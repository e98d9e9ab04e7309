"""The connection and the settings of a command on worker deployments; what Temporal refuses becomes a message."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import typer
from pydantic import Field
from temporalio.service import RPCError

from cli import patience
from cli.deploy.deployment import Deployment, UnknownBuild
from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint, failures_named
from shared.settings import TemporalSettings, temporal_connect_config
from shared.temporal.client import connect_once
from shared.temporal.reason import temporal_reason

Answer = TypeVar("Answer")

CONNECT_TIMEOUT = timedelta(seconds=patience.ANSWERS_WITHIN_SECONDS)


class DeploySettings(TemporalSettings):
    """Where Temporal is, and which worker deployment is meant."""

    temporal_worker_deployment_name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")


def ask(question: Callable[[Deployment], Awaitable[Answer]]) -> Answer:
    """What Temporal answers about the deployment that the settings name; exit 2 with a hint if it cannot be asked."""
    with failures_named():
        settings = DeploySettings.load()

        async def connect_and_ask() -> Answer:
            client = await connect_once(
                settings.temporal_address,
                settings.temporal_namespace,
                temporal_connect_config(),
                within=CONNECT_TIMEOUT,
            )
            name, task_queue = settings.temporal_worker_deployment_name, settings.temporal_task_queue
            return await question(Deployment(client, name, task_queue))

        try:
            return asyncio.run(connect_and_ask())
        except typer.Exit:  # a RuntimeError too
            raise
        except UnknownBuild as error:
            exit_with_hint(str(error), error.hint, EXIT_NOTHING_KNOWN)
        except (RPCError, RuntimeError) as error:
            exit_with_hint(
                f"Temporal at {settings.temporal_address}: {temporal_reason(error)}",
                "run it again, which does no harm; xnovu doctor says why Temporal does not answer.",
                EXIT_NOTHING_KNOWN,
            )
