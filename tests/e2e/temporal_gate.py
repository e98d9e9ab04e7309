"""Before the stack's Temporal, what Temporal Cloud has before its own: TLS, client certificates, and API keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
import grpc.aio

from tests.e2e.certificates import Authority

_ANY_SIZE = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_OF_THE_CALL_ALONE = frozenset({"authorization", "user-agent", "te", "content-type", "grpc-timeout", "host"})


class TemporalGate(grpc.GenericRpcHandler):
    """Passes on the calls of those whose key and certificate it believes; what these are may change at any time."""

    def __init__(self, behind: str) -> None:
        self.api_keys: set[str] = set()
        self.certificates: set[bytes] = set()
        """PEM."""
        self.refused = 0
        self.port = 0
        self._behind = grpc.aio.insecure_channel(behind, options=_ANY_SIZE)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Every method is of one request and one answer."""
        return grpc.unary_unary_rpc_method_handler(self._pass_on(handler_call_details.method))

    def _pass_on(self, method: str) -> Callable[..., Any]:
        async def call(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            metadata = dict(context.invocation_metadata() or ())
            [certificate] = context.auth_context()["x509_pem_cert"]
            key = str(metadata.get("authorization", "")).removeprefix("Bearer ")
            if key not in self.api_keys or certificate.strip() not in self.certificates:
                self.refused += 1
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Request unauthorized.")
            passed = tuple((name, value) for name, value in metadata.items() if name not in _OF_THE_CALL_ALONE)
            try:
                behind: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._behind.unary_unary(method)
                answer = await behind(request, metadata=passed, timeout=context.time_remaining())
            except grpc.aio.AioRpcError as error:
                await _pass_back(context, error)
            return answer

        return call

    async def close(self) -> None:
        """Let go of the server."""
        await self._behind.close()


async def _pass_back(context: grpc.aio.ServicerContext[bytes, bytes], error: grpc.aio.AioRpcError) -> NoReturn:
    await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata()))
    raise AssertionError("unreachable: abort raises")


@asynccontextmanager
async def gate_before(address: str, authority: Authority) -> AsyncIterator[TemporalGate]:
    """Listening on a port of its own, with a certificate of this authority's for 127.0.0.1; believing nobody yet."""
    gate = TemporalGate(address)
    server = grpc.aio.server(handlers=(gate,), options=_ANY_SIZE)
    own = authority.issue("127.0.0.1")
    credentials = grpc.ssl_server_credentials(
        [(own.key, own.certificate)], root_certificates=authority.certificate, require_client_auth=True
    )
    gate.port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield gate
    finally:
        await server.stop(grace=1)
        await gate.close()
