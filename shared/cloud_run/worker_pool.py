"""The port WorkerPool on Cloud Run's Admin API: its manual instance count, and nothing else of it."""

import asyncio

import grpc
import grpc.aio
from google.api_core import exceptions, retry_async
from google.api_core.operation_async import AsyncOperation
from google.auth.exceptions import GoogleAuthError
from google.cloud import run_v2
from google.cloud.run_v2.services.worker_pools.transports import WorkerPoolsGrpcAsyncIOTransport
from google.protobuf.field_mask_pb2 import FieldMask

from shared.ports import PoolChanged, PoolCount, PoolUnavailable

CALL_TIMEOUT_SECONDS = 2.5
OUTCOME_TIMEOUT_SECONDS = 1.0
"""How long an accepted change is watched; Cloud Run goes on with it, and the next tick sees what came of it."""

COUNT_WITHOUT_SCALING = 1
"""What Cloud Run runs where the pool says nothing of scaling."""

_MASK = FieldMask(paths=["scaling.manual_instance_count"])

_READ_AGAIN = retry_async.AsyncRetry(
    retry_async.if_exception_type(exceptions.ServiceUnavailable), initial=0.1, maximum=0.5, timeout=CALL_TIMEOUT_SECONDS
)


class CloudRunWorkerPool:
    """One pool, by its full name `projects/P/locations/L/workerPools/N`. Make it in the event loop that uses it."""

    def __init__(self, name: str, endpoint: str | None = None) -> None:
        """`endpoint`: a host and port of this machine that speaks without TLS or credentials, for tests.

        Raises:
            PoolUnavailable: there are no Google credentials.
        """
        self._name = name
        try:
            if endpoint is None:
                self._client = run_v2.WorkerPoolsAsyncClient()
            else:
                transport = WorkerPoolsGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(endpoint))
                self._client = run_v2.WorkerPoolsAsyncClient(transport=transport)
        except GoogleAuthError as error:
            raise PoolUnavailable(f"Google credentials: {type(error).__name__}") from None

    async def read(self) -> PoolCount:
        try:
            pool = await self._client.get_worker_pool(name=self._name, timeout=CALL_TIMEOUT_SECONDS, retry=_READ_AGAIN)
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            raise PoolUnavailable(_reason(error)) from None
        count = pool.scaling.manual_instance_count if "manual_instance_count" in pool.scaling else None
        return PoolCount(COUNT_WITHOUT_SCALING if count is None else count, pool.etag)

    async def set_count(self, count: int, seen: PoolCount) -> None:
        request = run_v2.UpdateWorkerPoolRequest(
            worker_pool=run_v2.WorkerPool(
                name=self._name,
                etag=seen.etag,
                scaling=run_v2.WorkerPoolScaling(manual_instance_count=count),
            ),
            update_mask=_MASK,
        )
        try:
            operation = await self._client.update_worker_pool(request, timeout=CALL_TIMEOUT_SECONDS)
            await _watch(operation)
        except exceptions.Aborted:
            raise PoolChanged from None
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            raise PoolUnavailable(_reason(error)) from None

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.transport.close()  # type: ignore[no-untyped-call]


async def _watch(operation: AsyncOperation) -> None:
    """Raises what the change failed by, if it does so at once."""
    try:
        async with asyncio.timeout(OUTCOME_TIMEOUT_SECONDS):
            await operation.result()  # type: ignore[no-untyped-call]
    except TimeoutError:
        return


def _reason(error: Exception) -> str:
    """A bounded cause for an operator, such as `PermissionDenied: 403 ...`."""
    return f"{type(error).__name__}: {error}"[:300]
