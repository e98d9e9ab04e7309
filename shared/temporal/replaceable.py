"""A client of Temporal's whose connection may be replaced: a new one is made beside it, and takes over."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.service import ServiceClient

Answer = TypeVar("Answer", bound=Message)


class Replaceable(ServiceClient):
    """Passes each call to the connection of now; calls that are under way end on theirs."""

    def __init__(self, connection: ServiceClient) -> None:
        super().__init__(connection.config)
        self.connection = connection

    @property
    def worker_service_client(self) -> Any:
        return self.connection.worker_service_client

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        self.connection.update_rpc_metadata(metadata)

    def update_api_key(self, api_key: str | None) -> None:
        self.connection.update_api_key(api_key)

    async def _rpc_call(
        self,
        rpc: str,
        req: Message,
        resp_type: type[Answer],
        *,
        service: str,
        retry: bool,
        metadata: Mapping[str, str | bytes],
        timeout: timedelta | None,  # noqa: ASYNC109 (the library's own signature)
    ) -> Answer:
        return await self.connection._rpc_call(
            rpc, req, resp_type, service=service, retry=retry, metadata=metadata, timeout=timeout
        )


def replaceable(client: Client) -> Client:
    """The same client, whose connection may be replaced."""
    config = client.config()
    config["service_client"] = Replaceable(client.service_client)
    return Client(**config)
