"""Messages that were written to realtime.messages become broadcasts, from a temporary replication slot of their own."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from contextlib import suppress

import asyncpg

from stack.edge.realtime.change_slot import DATABASE_AWAY, ChangeSlot, connect
from stack.edge.realtime.frames import compact
from stack.edge.realtime.hub import Hub
from stack.edge.realtime.pgoutput import decode
from stack.edge.realtime.tenant import partitions, prepare_tenant

_log = logging.getLogger(__name__)
_PUBLICATION = "supabase_realtime_messages_publication"
_SLOT = "supabase_realtime_messages_replication_slot"
_CHANNEL = "xnovu_edge_messages"
TABLE = "messages"
# A wake-up may be missed when the listening connection is new; a lost slot is found out at the latest by then.
_LOOK_SECONDS = 0.5


class BroadcastFeed:
    """Runs from the first connection to the database on. Of what is lost with a slot nobody hears, as there: the next
    one is made after a random, growing wait, and begins where it is made.
    """

    def __init__(self, database_url: str, hub: Hub) -> None:
        self._database_url = database_url
        self._hub = hub
        self._settings = hub.settings
        self._slot: ChangeSlot | None = None
        self._written = asyncio.Event()
        self._losses = 0

    @property
    def backend_pid(self) -> int | None:
        """The process of the connection that holds the slot, if there is one."""
        return None if self._slot is None else self._slot.backend_pid

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._follow_slot()
            except DATABASE_AWAY as error:
                _log.warning("broadcasts lost their connection, and are lost until it is back: %r", error)
            except asyncpg.PostgresError as error:
                _log.warning("broadcasts have no replication slot: %s", error)
            await asyncio.sleep(self._wait())

    def _wait(self) -> float:
        """Before the first slot there is no hurry either, but nobody waits: a stack starts its database beside this."""
        if not self._losses:
            return 0.2
        least, most = self._settings.broadcast_retry_min_seconds, self._settings.broadcast_retry_max_seconds
        return random.uniform(least, max(least, min(most, least * 2.0 ** min(self._losses, 10))))

    async def _follow_slot(self) -> None:
        listening = await connect(self._database_url, self._settings.query_timeout_seconds)
        try:
            await prepare_tenant(listening)
            await listening.add_listener(_CHANNEL, lambda *_: self._written.set())
            self._slot = await ChangeSlot.create(
                self._database_url, self._settings.slot_creation_seconds, name=_SLOT, publication=_PUBLICATION
            )
            # Read as a stream, the real one is missed at once.
            self._slot.connection.add_termination_listener(lambda _: self._written.set())
            self._losses = 1
            self._hub.counts.broadcast_slots_created += 1
            self._hub.broadcasts_flow.set()
            known = await partitions(listening)
            while True:
                self._written.clear()
                await self._read(self._slot, known)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._written.wait()
        finally:
            if self._hub.broadcasts_flow.is_set():
                self._hub.broadcasts_flow.clear()
            elif self._losses:
                self._losses += 1
            if self._slot is not None:
                self._slot.drop()
                self._slot = None
            listening.terminate()

    async def _read(self, slot: ChangeSlot, known: frozenset[int]) -> None:
        messages = await slot.poll(0)
        wanted = frozenset((oid, "INSERT") for oid in known)
        for change in decode(messages, wanted, slot.relations):
            if change.new is not None:
                self._deliver(dict(zip(change.relation.columns, change.new, strict=True)))

    def _deliver(self, message: Mapping[str, object]) -> None:
        topic, payload = message["topic"], message["payload"]
        if not isinstance(topic, str) or not isinstance(payload, str):
            _log.warning("payload_missing")
            return
        if len(payload.encode()) > self._settings.max_broadcast_bytes:
            _log.warning("a message is larger than a broadcast may be, and is not sent")
            self._hub.counts.events_lost += 1
            return
        is_private = message["private"] == "t"
        content = (
            f'{{"event":{compact(message["event"])},"meta":{{"id":{compact(message["id"])}}},'
            f'"payload":{payload},"type":"broadcast"}}'
        )
        self._hub.broadcast(topic, is_private, TABLE, content)
