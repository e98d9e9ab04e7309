"""google.cloud.run.v2.WorkerPools and google.longrunning.Operations, as the real service answers for one pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
from google.cloud import run_v2
from google.longrunning import operations_pb2  # type: ignore[import-untyped]
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]

MASK = ["scaling.manual_instance_count"]
MOST_INSTANCES = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """A count that was set, and when."""

    at: datetime
    instances: int


@dataclass(slots=True)
class WorkerPools:
    """One pool. Methods answer as the service does: unknown names, etags that are old, masks that mean more."""

    name: str
    on_change: Callable[[int], None]
    instances: int | None = 0
    """None: the pool says nothing of scaling."""
    generation: int = 1
    changes: list[Change] = field(default_factory=list)
    reads: int = 0
    fails: list[grpc.StatusCode] = field(default_factory=list)
    """The next calls are answered so instead, whatever they are."""
    operation_error: str | None = None
    """An accepted change fails by this afterwards."""
    changes_between: bool = False
    """Somebody else changes the pool after each read."""
    _operations: dict[str, operations_pb2.Operation] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"generation-{self.generation}"'

    def set_by_hand(self, instances: int) -> None:
        """As an operator's gcloud would."""
        self.instances = instances
        self.generation += 1
        self.on_change(instances)

    async def get_worker_pool(
        self, request: run_v2.GetWorkerPoolRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> run_v2.WorkerPool:
        await self._check(request.name, context)
        self.reads += 1
        pool = self._pool()
        if self.changes_between:
            self.generation += 1
        return pool

    async def update_worker_pool(
        self, request: run_v2.UpdateWorkerPoolRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> operations_pb2.Operation:
        wanted = request.worker_pool
        await self._check(wanted.name, context)
        if list(request.update_mask.paths) != MASK:
            # The real service would take it, and replace the image, the secrets, everything that was left out.
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the mask must be {MASK}")
        if wanted.etag and wanted.etag != self.etag:
            await context.abort(grpc.StatusCode.ABORTED, f"the etag is {self.etag} by now")
        count = wanted.scaling.manual_instance_count
        if "manual_instance_count" not in wanted.scaling or not 0 <= count <= MOST_INSTANCES:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "manual_instance_count must be 0 to 1000")
        operation = operations_pb2.Operation(name=f"{self.name}/operations/{len(self._operations) + 1}")
        if self.operation_error is not None:
            operation.done = True
            operation.error.CopyFrom(status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message=self.operation_error))
        else:
            self.set_by_hand(count)
            self.changes.append(Change(datetime.now(UTC), count))
        self._operations[operation.name] = operation
        return operation

    async def get_operation(
        self, request: operations_pb2.GetOperationRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> operations_pb2.Operation:
        operation = self._operations.get(request.name)
        if operation is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no operation {request.name}")
        assert operation is not None
        if not operation.done:  # done at the second look: the first answer is never final
            operation.done = True
            response = AnyMessage()
            response.Pack(run_v2.WorkerPool.pb(self._pool()))
            operation.response.CopyFrom(response)
        return operation

    def _pool(self) -> run_v2.WorkerPool:
        pool = run_v2.WorkerPool(
            name=self.name,
            etag=self.etag,
            generation=self.generation,
            template=run_v2.WorkerPoolRevisionTemplate(containers=[run_v2.Container(image="image@sha256:0")]),
        )
        if self.instances is not None:
            pool.scaling = run_v2.WorkerPoolScaling(manual_instance_count=self.instances)
        return pool

    async def _check(self, name: str, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if self.fails:
            await context.abort(self.fails.pop(0), "as a test has asked")
        if name != self.name:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {name}")


def handlers(*pools: WorkerPools) -> list[grpc.GenericRpcHandler]:
    """What a server is given, so that it serves both services, each pool's calls by that pool."""

    def method(name: str, request: Any, response: Any, pool_of: Callable[[Any], str]) -> Any:
        async def call(asked: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            meant = pool_of(asked).partition("/operations/")[0]
            of_that_name = next((each for each in pools if each.name == meant), pools[0])  # which refuses another's
            return await getattr(of_that_name, name)(asked, context)

        return grpc.unary_unary_rpc_method_handler(call, request_deserializer=request, response_serializer=response)

    operation = operations_pb2.Operation.SerializeToString
    get = run_v2.GetWorkerPoolRequest.deserialize
    update = run_v2.UpdateWorkerPoolRequest.deserialize
    watch = operations_pb2.GetOperationRequest.FromString
    return [
        grpc.method_handlers_generic_handler(
            "google.cloud.run.v2.WorkerPools",
            {
                "GetWorkerPool": method("get_worker_pool", get, run_v2.WorkerPool.serialize, lambda asked: asked.name),
                "UpdateWorkerPool": method(
                    "update_worker_pool", update, operation, lambda asked: asked.worker_pool.name
                ),
            },
        ),
        grpc.method_handlers_generic_handler(
            "google.longrunning.Operations",
            {"GetOperation": method("get_operation", watch, operation, lambda asked: asked.name)},
        ),
    ]
