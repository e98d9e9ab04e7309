"""Taking notifications, holding them, and settling them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class HeldClaim:
    """How an attempt leaves a row that it has not settled, or in which state it is about to send one.

    `answered`: what Novu said to every call is known, or there was none. `in_doubt`: it left one unanswered just now.
    `repeated`: it is sent although an earlier call may have been taken. `refused`: Novu has definitely not taken it, so
    that the next call bears another Idempotency-Key. `put_off_seconds` ends the claim and frees the row so much later.
    """

    notification_id: int
    chunks_sent: int = 0
    chunks_beyond: tuple[int, ...] = ()
    answered: bool = True
    in_doubt: bool = False
    repeated: bool = False
    refused: bool = False
    put_off_seconds: float | None = None


class NotificationClaims(Protocol):
    """Taking rows and settling them. Every method touches only the enterprise it is given.

    All methods raise StoreUnavailable on a passing fault.
    """

    async def claim(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        claim_owner: str,
        lease_seconds: int,
        uncalled: bool = False,
    ) -> ClaimedBatch:
        """Take the rows that are active, due and free (or already this owner's), PENDING to PROCESSING.

        Repeating a claim with the same owner returns the same rows, less those whose outcome is recorded. They are in
        doubt then, unless they were held as answered, or nothing was sent of them since (`uncalled`).
        """
        ...

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> Mapping[int, Outcome]:
        """Write outcomes on the rows this owner holds; returns how they have ended, by id.

        A row that refuses the outcome it is given has ended as FAILED, `outcome_refused`. Where it refuses that too,
        the database keeps the outcome and tries it again, and the row counts as ended all the same.
        """
        ...

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        """Extend the lease of the given rows and store their count of accepted chunks.

        Returns the ids that are still this owner's; work on any other must stop.
        """
        ...

    async def hold_claims(
        self, enterprise_id: str, *, claim_owner: str, rows: Sequence[HeldClaim], lease_seconds: int
    ) -> frozenset[int]:
        """Store what is known of rows that are not settled; their leases start anew, unless they are put off.

        Returns the ids that were still this owner's.
        """
        ...

    async def note_faults(
        self, enterprise_id: str, *, claim_owner: str, notification_ids: Collection[int], code: str
    ) -> Mapping[int, int]:
        """Note that the delivery of these rows met a fault and is to be tried again, for health to show.

        Returns, of those that this owner holds, how often in a row it was this code.
        """
        ...
