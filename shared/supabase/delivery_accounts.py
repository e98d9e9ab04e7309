"""DeliveryAccounts on Supabase: each method is one call of an SQL function (docs/database_functions.md)."""

from collections.abc import Collection, Sequence
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.notification.delivery import DeliveryFact
from shared.ports import DeliveryLook, LookedAt, RecordedDelivery, TakenLooks
from shared.supabase.sql_function import call_function


class SupabaseDeliveryAccounts:
    """The port DeliveryAccounts, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def record(self, facts: Sequence[DeliveryFact], looks: Sequence[LookedAt] = ()) -> RecordedDelivery:
        answer = await call_function(
            self._client,
            "record_delivery",
            p_facts=[_fact(fact) for fact in facts],
            p_looks=[
                {
                    "id": it.notification_id,
                    "through": it.through,
                    "again_after_seconds": it.again_after_seconds,
                    "second_try": it.second_try,
                }
                for it in looks
            ],
        )
        return RecordedDelivery(
            new_facts=answer["new_facts"],
            unknown_transactions=answer["unknown_transactions"],
            states=_states(answer),
            messages=tuple(
                (it["enterprise_id"], it["channel"], it["outcome"], int(it["messages"])) for it in answer["messages"]
            ),
        )

    async def take(
        self,
        reader: str,
        enterprise_ids: Collection[str],
        *,
        limit: int,
        retention_seconds: float,
        lease_seconds: float,
    ) -> TakenLooks:
        answer = await call_function(
            self._client,
            "take_delivery_looks",
            p_reader=reader,
            p_enterprise_ids=sorted(enterprise_ids) or None,
            p_limit=limit,
            p_retention_seconds=retention_seconds,
            p_lease_seconds=lease_seconds,
        )
        if not answer["mine"]:
            return TakenLooks(mine=False)
        return TakenLooks(
            mine=True,
            looks=tuple(_look(it) for it in answer["looks"]),
            next_look_in_seconds=answer["next_look_in_seconds"],
            unheard_seconds=float(answer["unheard_seconds"]),
            states=_states(answer),
            closed=answer["closed"],
        )

    async def begin_second_tries(
        self, reader: str, enterprise_ids: Collection[str], *, limit: int
    ) -> tuple[tuple[str, int], ...]:
        answer = await call_function(
            self._client,
            "begin_second_tries",
            p_reader=reader,
            p_enterprise_ids=sorted(enterprise_ids) or None,
            p_limit=limit,
        )
        return tuple((it["enterprise_id"], it["rows"]) for it in answer["begun"])


def _fact(fact: DeliveryFact) -> dict[str, Any]:
    return {
        "transaction_id": fact.transaction_id,
        "subscriber_id": fact.subscriber_id,
        "channel": fact.channel,
        "outcome": fact.outcome,
        "cause": fact.cause,
        "at": fact.at.isoformat(),
        "seen": fact.seen,
        "read": fact.read,
    }


def _look(look: dict[str, Any]) -> DeliveryLook:
    return DeliveryLook(
        notification_id=look["id"],
        enterprise_id=look["enterprise_id"],
        transaction_id=look["transaction_id"],
        persons=look["persons"],
        age_seconds=float(look["age_seconds"]),
        complete=look["complete"],
        unread=look["unread"],
        second_try=look["second_try"],
        try_chunks=look["try_chunks"],
        try_entries=look["try_entries"],
    )


def _states(answer: dict[str, Any]) -> tuple[tuple[str, str, int], ...]:
    return tuple((it["enterprise_id"], it["state"], it["rows"]) for it in answer["states"])
