"""What became of notifications, as it is written down."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.notification.delivery import DeliveryFact


@dataclass(frozen=True, slots=True)
class DeliveryLook:
    """A notification of which Novu is to be asked what became of it.

    `transaction_id` is the one that the row stores, `persons` how many different recipients it has. `complete` says
    that all but who read it is known; `unread`, that somebody has not read it in the app. `second_try` is the number of
    the latest, in `try_chunks` events with `try_entries` recipients in all.
    """

    notification_id: int
    enterprise_id: str
    transaction_id: str
    persons: int
    age_seconds: float
    complete: bool
    unread: bool
    second_try: int = 0
    try_chunks: int = 0
    try_entries: int = 0


@dataclass(frozen=True, slots=True)
class TakenLooks:
    """What a reader is given. `mine` False: another one reads, and nothing else is said."""

    mine: bool
    looks: tuple[DeliveryLook, ...] = ()
    next_look_in_seconds: float | None = None
    unheard_seconds: float = 0.0
    states: tuple[tuple[str, str, int], ...] = ()
    """(enterprise id, state, rows): those that nothing more will be heard of."""
    closed: int = 0


@dataclass(frozen=True, slots=True)
class LookedAt:
    """`through`: all there is to know was there, of this second try or the first. `again_after_seconds` None: nobody
    need ask again.
    """

    notification_id: int
    through: bool
    again_after_seconds: float | None
    second_try: int = 0


@dataclass(frozen=True, slots=True)
class RecordedDelivery:
    """What the account says now that it did not say before.

    `states` are (enterprise id, state, rows), `messages` (enterprise id, channel, outcome, messages); messages that
    got another outcome are taken away from their former one.
    """

    new_facts: int
    unknown_transactions: int
    states: tuple[tuple[str, str, int], ...] = ()
    messages: tuple[tuple[str, str, str, int], ...] = ()


class DeliveryAccounts(Protocol):
    """The account of what became of notifications. Every method raises StoreUnavailable."""

    async def record(self, facts: Sequence[DeliveryFact], looks: Sequence[LookedAt] = ()) -> RecordedDelivery:
        """Add facts; told twice, or in another order, they say the same."""

    async def take(
        self,
        reader: str,
        enterprise_ids: Collection[str],
        *,
        limit: int,
        retention_seconds: float,
        lease_seconds: float,
    ) -> TakenLooks:
        """The next notifications to ask about, the longest waiting ones first; of no enterprises: of all. Accounts that
        are older than the retention are closed.
        """

    async def begin_second_tries(
        self, reader: str, enterprise_ids: Collection[str], *, limit: int
    ) -> tuple[tuple[str, int], ...]:
        """Have sent again what is due to be, by its workflow; (enterprise id, rows) of what was begun. The reader is
        the one that `take` said yes to.
        """
