"""The account of deliveries as metrics (docs/metrics.md): whoever adds to it counts what is new."""

from collections.abc import Collection, Sequence

from shared.notification.delivery import DeliveryFact
from shared.ports import DeliveryAccounts, LookedAt, RecordedDelivery, TakenLooks
from shared.telemetry.enterprise_names import ENTERPRISE, names
from shared.telemetry.metric import Kind, Metric, counter, observe_value

MESSAGES = Metric(
    "xnovu.delivery.messages",
    Kind.COUNTER,
    "{message}",
    "Messages to one person in one channel, as Novu tells what became of them: `sent`, `failed`, `skipped`, and of"
    " those sent `seen` and `read`.",
    (ENTERPRISE, "xnovu.channel", "xnovu.outcome"),
)
STATES = Metric(
    "xnovu.delivery.states",
    Kind.COUNTER,
    "{notification}",
    "Rows whose delivery came to a state: `delivered`, `partly`, `undelivered`, or `unknown` where Novu forgot before"
    " everything was known.",
    (ENTERPRISE, "xnovu.state"),
)
UNHEARD_AGE = Metric(
    "xnovu.delivery.unheard.age",
    Kind.GAUGE,
    "s",
    "How long the oldest row is sent of which nothing at all was heard; 0 for none.",
)
SECOND_TRIES = Metric(
    "xnovu.delivery.second_tries",
    Kind.COUNTER,
    "{notification}",
    "Rows that were sent again to whom they had failed for, as their workflow says.",
    (ENTERPRISE,),
)
METRICS = (MESSAGES, STATES, UNHEARD_AGE, SECOND_TRIES)

_messages = counter(MESSAGES)
_states = counter(STATES)
_second_tries = counter(SECOND_TRIES)


class MeasuredAccounts:
    """Port DeliveryAccounts, counted."""

    def __init__(self, accounts: DeliveryAccounts) -> None:
        self._accounts = accounts
        self._unheard_seconds: float | None = None
        observe_value(UNHEARD_AGE, lambda: self._unheard_seconds)

    async def record(self, facts: Sequence[DeliveryFact], looks: Sequence[LookedAt] = ()) -> RecordedDelivery:
        recorded = await self._accounts.record(facts, looks)
        _count_states(recorded.states)
        for enterprise_id, channel, outcome, messages in recorded.messages:
            # A counter only grows: a message that failed at first and was sent later counts as both.
            if messages > 0:
                name = names.name(enterprise_id, in_trouble=outcome == "failed")
                _messages.add(messages, {ENTERPRISE: name, "xnovu.channel": channel, "xnovu.outcome": outcome})
        return recorded

    async def take(
        self,
        reader: str,
        enterprise_ids: Collection[str],
        *,
        limit: int,
        retention_seconds: float,
        lease_seconds: float,
    ) -> TakenLooks:
        taken = await self._accounts.take(
            reader,
            enterprise_ids,
            limit=limit,
            retention_seconds=retention_seconds,
            lease_seconds=lease_seconds,
        )
        # Of several workers the one that reads knows.
        self._unheard_seconds = taken.unheard_seconds if taken.mine else None
        _count_states(taken.states)
        return taken

    async def begin_second_tries(
        self, reader: str, enterprise_ids: Collection[str], *, limit: int
    ) -> tuple[tuple[str, int], ...]:
        begun = await self._accounts.begin_second_tries(reader, enterprise_ids, limit=limit)
        for enterprise_id, rows in begun:
            _second_tries.add(rows, {ENTERPRISE: names.name(enterprise_id)})
        return begun


def _count_states(states: Sequence[tuple[str, str, int]]) -> None:
    for enterprise_id, state, rows in states:
        name = names.name(enterprise_id, in_trouble=state in ("partly", "undelivered"))
        _states.add(rows, {ENTERPRISE: name, "xnovu.state": state})
