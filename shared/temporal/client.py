"""The connection to Temporal."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from shared import telemetry
from shared.temporal.discreet import DATA_CONVERTER
from shared.temporal.replaceable import replaceable
from shared.temporal.runtime import runtime


async def connect(address: str, namespace: str, connect_config: dict[str, Any]) -> Client:
    """Connect, waiting for as long as Temporal is away (`Client.connect` itself does not retry)."""
    config = _config(address, namespace, connect_config)
    if telemetry.is_on():
        from shared.temporal.tracing import RowTracing  # loads the SDK

        config["interceptors"] = [RowTracing()]
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((RPCError, RuntimeError)), wait=wait_random_exponential(multiplier=0.2, max=10)
    ):
        with attempt:
            return replaceable(await Client.connect(**config))
    raise AssertionError("unreachable: the retry never gives up")


async def connect_at_first_call(address: str, namespace: str, connect_config: dict[str, Any]) -> Client:
    """A client that connects when it is first used, and then raises RuntimeError or RPCError while Temporal is away.

    No worker can use it.
    """
    return replaceable(await Client.connect(**_config(address, namespace, connect_config), lazy=True))


async def connect_anew(client: Client, connect_config: dict[str, Any]) -> Client:
    """Another connection to where this client's leads, made with something else; raises RuntimeError or RPCError."""
    return await Client.connect(**_config(client.service_client.config.target_host, client.namespace, connect_config))


async def connect_once(address: str, namespace: str, connect_config: dict[str, Any], *, within: timedelta) -> Client:
    """For a command: a client that connects now, or raises RuntimeError or RPCError.

    The library's own time limit ends before the server's first answer, which it asks for while it connects.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await Client.connect(
                **{**connect_config, "target_host": address, "namespace": namespace, "data_converter": DATA_CONVERTER},
                connect_timeout=within,
            )
    except TimeoutError:
        raise RuntimeError(f"no answer within {within.total_seconds():g} s") from None


def _config(address: str, namespace: str, connect_config: dict[str, Any]) -> dict[str, Any]:
    ours = {"target_host": address, "namespace": namespace, "runtime": runtime(), "data_converter": DATA_CONVERTER}
    return {**connect_config, **ours}


async def connect_unless_stopped(
    stop: asyncio.Event, address: str, namespace: str, connect_config: dict[str, Any]
) -> Client | None:
    """The connection, however long Temporal is away; None if `stop` is set before."""
    connection = asyncio.create_task(connect(address, namespace, connect_config))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({connection, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return connection.result() if connection.done() else None
    finally:
        connection.cancel()
        stopping.cancel()
