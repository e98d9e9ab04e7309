"""A Temporal server of a test process's own, that has as long to start as a busy machine takes.

`WorkflowEnvironment.start_local` gives up after five seconds, and takes no other number.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from stack.processes import ChildProcess, free_port

TEMPORAL = Path(sys.executable).with_name("temporal")
READY_WITHIN_SECONDS = 120.0


@asynccontextmanager
async def temporal_server(
    directory: Path, *dynamic_configuration: str, runtime: Runtime | None = None
) -> AsyncIterator[Client]:
    """A client of a server in memory, with the namespace `default`; its log is in the directory."""
    port = free_port()
    server = ChildProcess("temporal", directory / "temporal.log")
    clients: list[Client] = []

    async def is_ready() -> bool:
        try:
            client = await Client.connect(f"127.0.0.1:{port}", runtime=runtime)
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
        except (RuntimeError, RPCError):
            return False
        clients.append(client)
        return True

    await server.start(
        [
            *(str(TEMPORAL), "server", "start-dev", "--headless", "--log-level", "error"),
            *("--ip", "127.0.0.1", "--port", str(port)),
            *(f"--dynamic-config-value={value}" for value in dynamic_configuration),
        ]
    )
    try:
        await server.wait_until_ready(is_ready, READY_WITHIN_SECONDS)
        yield clients[0]
    finally:
        await server.stop(10)
