"""What a client of Temporal's connects with, taken up where it changes: keys and certificates."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, ServiceClient

from shared.keys import KeyRefused
from shared.settings import SettingsError, temporal_connect_config
from shared.temporal.client import connect_anew
from shared.temporal.reason import temporal_reason
from shared.temporal.replaceable import Replaceable

log = logging.getLogger("TemporalService")

ANSWERS_WITHIN = timedelta(seconds=10)


class TemporalAccess:
    """What the client connects with: looked at now and then, and taken up once Temporal has believed it."""

    name = "access to Temporal"

    def __init__(
        self,
        client: Client,
        known: Mapping[str, Any],
        *,
        load: Callable[[], dict[str, Any]] = temporal_connect_config,
        on_replaced: Callable[[], None] = lambda: None,
    ) -> None:
        """`client` is a replaceable one, connected with `known`. `on_replaced`: whoever polls with it is told."""
        self._client = client
        self._known = dict(known)
        self._load = load
        self._on_replaced = on_replaced

    async def watch(self, every_seconds: float) -> None:
        """Look for ever; where there is neither key nor certificate, there is nothing to look for.

        Raises:
            KeyRefused: with what is there now there is no connection; so at each look. The one before is used.
        """
        while self._known.get("api_key") or self._known.get("tls"):
            await self._look()
            await asyncio.sleep(every_seconds)

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._load)
            if found == self._known:
                return
            connection = await self._connect(found)
        except (SettingsError, RPCError, RuntimeError) as error:
            reason = temporal_reason(error) if isinstance(error, RPCError | RuntimeError) else str(error)
            log.warning("temporal_access_refused", extra={"reason": reason, "used": "the one before"})
            raise KeyRefused(f"no connection with the new key or certificate: {reason}") from None
        service = self._client.service_client
        assert isinstance(service, Replaceable), "made by replaceable()"
        service.connection = connection
        self._known = found
        self._on_replaced()
        log.info("temporal_access_taken_up")

    async def _connect(self, found: Mapping[str, Any]) -> ServiceClient:
        """Connected, and believed: the namespace has answered."""
        namespace = self._client.namespace
        try:
            async with asyncio.timeout(ANSWERS_WITHIN.total_seconds()):
                candidate = await connect_anew(self._client, dict(found))
                await candidate.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
        except TimeoutError:
            raise RuntimeError("no answer in time") from None
        return candidate.service_client
