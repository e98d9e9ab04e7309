"""An enterprise's rows, as the workflow that has claimed them writes to them: no write touches what is another's."""

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from temporalio import activity

from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Failed, Outcome, Sent
from shared.ports import HeldClaim, NotificationClaims, StoreUnavailable
from shared.temporal.messages import NotificationProcessingResult

log = logging.getLogger("NotificationDelivery")

_LOGGED_DETAILS = ("template", "line", "sqlstate", "rests")
"""Of why a row failed: keys and places, and none of what it holds."""


def claim_owner() -> str:
    """Who holds the claims: the workflow, so that every attempt of its activities is the same owner."""
    workflow_id = activity.info().workflow_id
    assert workflow_id is not None, "these activities run in workflows only"
    return workflow_id


class OwnedClaims:
    """Those of one enterprise in one attempt of an activity, which knows of which rows it has called Novu, or may have.

    Every method but `about` and `tell` raises StoreUnavailable.
    """

    def __init__(self, claims: NotificationClaims, enterprise_id: str, *, lease_seconds: int) -> None:
        self.enterprise_id = enterprise_id
        self.lease_seconds = lease_seconds
        self._claims = claims
        self._owner = claim_owner()
        self._claimed: set[int] = set()
        self._called: set[int] = set()

    @property
    def uncalled(self) -> set[int]:
        """Those that were claimed, and of which Novu was not called."""
        return self._claimed - self._called

    def note_called(self, notification_ids: Collection[int]) -> None:
        """From now on Novu may have these."""
        self._called.update(notification_ids)

    async def claim(self, notification_ids: Sequence[int]) -> ClaimedBatch:
        """Those of them that are to be sent, and are nobody else's."""
        batch = await self._claims.claim(
            self.enterprise_id,
            notification_ids,
            claim_owner=self._owner,
            lease_seconds=self.lease_seconds,
            uncalled=self.uncalled.issuperset(notification_ids),
        )
        self._claimed.update(notification.id for notification in batch.notifications)
        self._claimed.update(failed.notification_id for failed in batch.unreadable)
        return batch

    async def renew(self, chunks_sent: Mapping[int, int]) -> frozenset[int]:
        """Keep these for a lease more, with so many chunks sent; returns which are still ours."""
        return await self._claims.renew_claims(
            self.enterprise_id, claim_owner=self._owner, chunks_sent=chunks_sent, lease_seconds=self.lease_seconds
        )

    async def hold(self, rows: Sequence[HeldClaim], *, pause_seconds: float = 0.0) -> frozenset[int]:
        """Keep these beyond the pause, with what is known of them; returns which are still ours."""
        lease_seconds = self.lease_seconds + math.ceil(pause_seconds)
        return await self._claims.hold_claims(
            self.enterprise_id, claim_owner=self._owner, rows=rows, lease_seconds=lease_seconds
        )

    async def leave_uncalled(self, notification_ids: Collection[int]) -> None:
        """Say of rows of which Novu was not called that it was not. Only a courtesy: else they would be in doubt."""
        if notification_ids:
            with suppress(StoreUnavailable):
                await self.hold([HeldClaim(each) for each in sorted(notification_ids)])

    async def note_faults(self, notification_ids: Collection[int], code: str) -> Mapping[int, int]:
        """One more fault of this kind of each; returns how many in a row those that are still ours have had."""
        return await self._claims.note_faults(
            self.enterprise_id, claim_owner=self._owner, notification_ids=notification_ids, code=code
        )

    async def record(self, outcomes: Sequence[Outcome]) -> NotificationProcessingResult:
        """Write how they ended, and tell."""
        if not outcomes:
            return NotificationProcessingResult()
        recorded = await self._claims.record_outcomes(self.enterprise_id, claim_owner=self._owner, outcomes=outcomes)
        return self.tell(list(recorded.values()))

    def tell(self, ended: Sequence[Outcome]) -> NotificationProcessingResult:
        """Log those that have failed; returns what the workflow is told of them all."""
        failed = {outcome.notification_id: outcome.refusal for outcome in ended if isinstance(outcome, Failed)}
        for notification_id, refusal in failed.items():
            log.warning(
                "notification_failed",
                extra={
                    "enterprise_id": self.enterprise_id,
                    "notification_id": notification_id,
                    "workflow_id": self._owner,
                    "code": refusal.code.value,
                    **{key: refusal.details[key] for key in _LOGGED_DETAILS if key in refusal.details},
                },
            )
        return NotificationProcessingResult(
            sent=sum(isinstance(outcome, Sent) for outcome in ended),
            failed={str(notification_id): refusal.code.value for notification_id, refusal in failed.items()},
        )

    def about(self, notification_ids: Sequence[int]) -> dict[str, Any]:
        """What a log line says of these."""
        return {
            "enterprise_id": self.enterprise_id,
            "notification_ids": list(notification_ids[:10]),
            "notifications": len(notification_ids),
            "workflow_id": self._owner,
        }
