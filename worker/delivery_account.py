"""What the worker's deliveries came to, counted at the ports they go through."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from shared.health.observations import NovuObservation
from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Failed, Outcome, RefusalCode, Sent
from shared.novu import measured
from shared.ports import (
    FaultCode,
    HeldClaim,
    NotificationClaims,
    NotificationTrigger,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
    TriggerUnknown,
)


class DeliveryAccount:
    """Counts since the process started."""

    def __init__(self) -> None:
        self.sent = 0
        self.failed: Counter[str] = Counter()
        self._accepted = self._refused = self._faults = 0
        self._last_call_at: datetime | None = None
        self._failing_since: datetime | None = None
        self._last_fault: str | None = None
        self._well_since: datetime | None = None

    def note_recorded(self, outcomes: Sequence[Outcome]) -> None:
        """These outcomes are on their rows."""
        self.sent += sum(isinstance(outcome, Sent) for outcome in outcomes)
        self.failed.update(outcome.refusal.code.value for outcome in outcomes if isinstance(outcome, Failed))

    def note_answers(self, results: Sequence[TriggerResult], *, tells: bool = True) -> None:
        """Novu's answers to one round of events; any that is no fault says that Novu works. A used up rate is none.
        Unless it `tells`, they are counted, and say nothing of how Novu is: an enterprise's own key may be wrong.
        """
        faults = [
            result
            for result in results
            if isinstance(result, TriggerUnknown)
            or (isinstance(result, TriggerFault) and result.code is not FaultCode.NOVU_RATE)
        ]
        accepted = sum(isinstance(result, TriggerAccepted) for result in results)
        refused = sum(
            isinstance(result, TriggerRefused) and result.code is RefusalCode.NOVU_REFUSED for result in results
        )
        if not accepted + refused + len(faults):  # nothing of it was sent
            return
        self._accepted += accepted
        self._refused += refused
        self._faults += len(faults)
        if not tells:
            return
        self._last_call_at = datetime.now(UTC)
        if faults:
            self._last_fault = faults[-1].reason
        if accepted + refused:
            self._failing_since = None
            self._well_since = self._well_since or self._last_call_at
        elif self._failing_since is None:
            self._failing_since = self._last_call_at
            self._well_since = None

    def novu(self) -> NovuObservation:
        """Novu as its answers show it, and those that do not come."""
        unanswered = measured.unanswered_seconds()
        return NovuObservation(
            accepted=self._accepted,
            refused=self._refused,
            faults=self._faults,
            last_call_at=self._last_call_at,
            failing_since=self._failing_since,
            last_fault=self._last_fault,
            well_since=self._well_since,
            unanswered_since=datetime.now(UTC) - timedelta(seconds=unanswered) if unanswered else None,
            slow_seconds=measured.slow_seconds(),
        )


class AccountedClaims:
    """Port NotificationClaims, with recorded outcomes noted."""

    def __init__(self, claims: NotificationClaims, account: DeliveryAccount) -> None:
        self._claims = claims
        self._account = account

    async def claim(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        claim_owner: str,
        lease_seconds: int,
        uncalled: bool = False,
    ) -> ClaimedBatch:
        batch = await self._claims.claim(
            enterprise_id, notification_ids, claim_owner=claim_owner, lease_seconds=lease_seconds, uncalled=uncalled
        )
        self._account.note_recorded(batch.refused)
        return batch

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> Mapping[int, Outcome]:
        recorded = await self._claims.record_outcomes(enterprise_id, claim_owner=claim_owner, outcomes=outcomes)
        self._account.note_recorded(list(recorded.values()))
        return recorded

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        return await self._claims.renew_claims(
            enterprise_id, claim_owner=claim_owner, chunks_sent=chunks_sent, lease_seconds=lease_seconds
        )

    async def hold_claims(
        self, enterprise_id: str, *, claim_owner: str, rows: Sequence[HeldClaim], lease_seconds: int
    ) -> frozenset[int]:
        return await self._claims.hold_claims(
            enterprise_id, claim_owner=claim_owner, rows=rows, lease_seconds=lease_seconds
        )

    async def note_faults(
        self, enterprise_id: str, *, claim_owner: str, notification_ids: Collection[int], code: str
    ) -> Mapping[int, int]:
        return await self._claims.note_faults(
            enterprise_id, claim_owner=claim_owner, notification_ids=notification_ids, code=code
        )


class AccountedTrigger:
    """Port NotificationTrigger, with Novu's answers noted."""

    def __init__(self, trigger: NotificationTrigger, account: DeliveryAccount, *, tells: bool = True) -> None:
        """`tells`: whether these answers say how Novu is."""
        self._trigger = trigger
        self._account = account
        self._tells = tells

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        results = await self._trigger.trigger(events)
        self._account.note_answers(results, tells=self._tells)
        return results
