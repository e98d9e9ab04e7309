"""An OTLP receiver over HTTP: accepts everything as a collector does, and keeps it for a test to look at."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True)
class ReceivedSpan:
    """A span, and the name of the service that sent it."""

    service: str
    span: Span

    @property
    def attributes(self) -> dict[str, object]:
        return read_attributes(self.span.attributes)


@dataclass
class OtlpReceiver:
    """What has come in. `keep=False` counts requests and bytes only."""

    url: str
    keep: bool = True
    requests: int = 0
    bytes_received: int = 0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    _traces: list[bytes] = field(default_factory=list)
    _metrics: list[bytes] = field(default_factory=list)

    def take(self, signal: str, headers: Mapping[str, str], body: bytes) -> None:
        self.requests += 1
        self.bytes_received += len(body)
        if self.keep:
            self.bodies.append(body)
            self.headers.append(dict(headers))
            (self._traces if signal == "traces" else self._metrics).append(body)

    def spans(self) -> list[ReceivedSpan]:
        """In the order they came."""
        return [
            ReceivedSpan(str(read_attributes(resource.resource.attributes)["service.name"]), span)
            for body in self._traces
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resources(self) -> list[dict[str, object]]:
        """Who sent spans."""
        return [
            read_attributes(resource.resource.attributes)
            for body in self._traces
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def metrics(self) -> list[Metric]:
        """Every export of every metric, in the order they came."""
        return [
            metric
            for body in self._metrics
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]


def read_attributes(attributes: Iterable[KeyValue]) -> dict[str, object]:
    """By name; lists as lists."""
    return {pair.key: _read(pair.value) for pair in attributes}


def _read(value: object) -> object:
    kind = value.WhichOneof("value")  # type: ignore[attr-defined]
    if kind == "array_value":
        return [_read(item) for item in value.array_value.values]  # type: ignore[attr-defined]
    return getattr(value, kind)


@asynccontextmanager
async def receiving(*, keep: bool = True) -> AsyncIterator[OtlpReceiver]:
    """A receiver on a free port of this machine, until the end of the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    receiver = OtlpReceiver(f"http://127.0.0.1:{listening.getsockname()[1]}", keep=keep)

    async def take(request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        receiver.take(request.path_params["signal"], request.headers, body)
        return Response(b"", media_type="application/x-protobuf")

    app = Starlette(routes=[Route("/v1/{signal}", take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield receiver
    finally:
        server.should_exit = True
        await serving
        listening.close()
