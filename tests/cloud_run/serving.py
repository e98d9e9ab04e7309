"""A server of the fake on this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio

from tests.cloud_run.worker_pools import WorkerPools, handlers


@asynccontextmanager
async def serving(*pools: WorkerPools) -> AsyncIterator[str]:
    """The server's host and port, until the end of the block."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(handlers(*pools))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)
