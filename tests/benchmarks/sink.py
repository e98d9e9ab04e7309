"""What the Novu sink saw."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.benchmarks.system import System


async def read_transaction_ids(system: System, notification_ids: Sequence[int]) -> dict[int, str]:
    """By notification, the transaction id of its first chunk of recipients."""
    rows = await system.database.fetch(
        "select id, coalesce(transaction_base, 'xnovu.' || delivery_key) as base"
        " from notify.ent_notification where id = any($1)",
        notification_ids,
    )
    return {row["id"]: row["base"] for row in rows}


async def read_arrivals(system: System) -> dict[str, float]:
    """When each transaction id first arrived, in Unix seconds."""
    arrivals: dict[str, float] = {}
    for call in await _calls(system):
        arrivals.setdefault(call["transaction_id"], call["received_at_ns"] / 1e9)
    return arrivals


async def count_deliveries(system: System, transaction_ids: set[str]) -> Counter[str]:
    """How often each of these transaction ids was sent to Novu and accepted."""
    return Counter(
        call["transaction_id"]
        for call in await _calls(system)
        if call["status"] == "processed" and call["transaction_id"] in transaction_ids
    )


async def let_novu_catch_up(system: System) -> None:
    """Return when the steps of all that was triggered have been run: which takes a processor from what comes next."""
    nothing = {"transaction_id_prefix": "none"}
    response = await system.http.get(f"{system.stack.novu_sink.url}/_sink/truth", params=nothing)
    response.raise_for_status()


async def count_requests(system: System) -> int:
    """HTTP requests to Novu's event endpoints so far."""
    response = await system.http.get(f"{system.stack.novu_sink.url}/_sink/summary")
    response.raise_for_status()
    return int(response.json()["requests"])


async def _calls(system: System) -> list[dict[str, Any]]:
    response = await system.http.get(f"{system.stack.novu_sink.url}/_sink/calls")
    response.raise_for_status()
    calls: list[dict[str, Any]] = response.json()["calls"]
    return calls
