"""One seat for all: rings of the shards asked for, and the beats of one listener, from the same table."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, TypeAdapter, ValidationError
from realtime import AsyncRealtimeChannel, RealtimePostgresChangesListenEvent
from realtime.types import PostgresChangesPayload

from listener.doorbell.way import Hearer, SeatRequest
from shared.ports import FeedWay

SCHEMA = "notify"
TABLE = "doorbell"
COLUMNS = ("id", "ring")

_INSTANT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class PostgresChanges:
    """Slower than broadcast, by up to half a second, and what it lost it brings sooner."""

    name = FeedWay.POSTGRES_CHANGES

    def seats(self, listener_id: str, shards: Collection[int]) -> Sequence[SeatRequest]:
        """One seat, under a name never used before: no late answer to an earlier one can reach it.

        Subscriptions are the server's dearest good: each changed row is matched against all of them.
        """
        rung = ",".join(map(str, sorted(shards)))

        def attach(channel: AsyncRealtimeChannel, hearer: Hearer) -> None:
            def on_event(payload: PostgresChangesPayload) -> None:
                _hand_on(payload["data"], hearer)

            for wanted in (f"shard=in.({rung})", f"listener_id=eq.{listener_id}"):
                channel.on_postgres_changes(
                    RealtimePostgresChangesListenEvent.Insert,
                    on_event,
                    schema=SCHEMA,
                    table=TABLE,
                    filter=wanted,
                    select=list(COLUMNS),
                )

        return [
            SeatRequest(
                topic=f"xnovu-{listener_id}:{secrets.token_hex(4)}",
                private=False,
                broadcast={},
                confirmed_by="postgres_changes",
                attach=attach,
            )
        ]


def _hand_on(data: Any, hearer: Hearer) -> None:
    if data.get("errors"):
        hearer.on_unreadable(f"the server says {str(data['errors'])[:100]}")
        return
    ring = (data.get("record") or {}).get("ring")
    if isinstance(ring, dict) and "beat" in ring:
        hearer.on_beat(ring["beat"])
    else:
        hearer.on_ring(ring, _committed_at(data))


def _committed_at(data: Any) -> datetime | None:
    try:
        return _INSTANT.validate_python(data.get("commit_timestamp"))
    except ValidationError:
        return None
