"""Deliveries that are put off before they are rendered: they wait without a slot, and nobody else takes them up."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from temporalio import activity

from shared.novu.rates.lanes import SMALL
from shared.ports import HeldClaim, NotificationClaims, PutOff
from shared.temporal.messages import Portion
from worker.turns import Door

HELD_LEASES = 2
"""Beyond the pause: most returns that come to nothing find the rows held for long enough, and write nothing."""

LARGE_AT_ONCE = 2
"""A flood comes to a worker as many deliveries at once, of which nearly all are put off: holding the rows of all of
them at the same time would keep the database from everybody else's single rows for a second.
"""

Held = dict[str, tuple[str, float]]
"""By enterprise: the code for which its rows were put off, and the Unix time until which nobody else takes them up."""


class PuttingOff:
    """Says whether a delivery may begin; holds its rows if not."""

    def __init__(self, claims: NotificationClaims, turns: Door, *, lease_seconds: int) -> None:
        self._claims = claims
        self._turns = turns
        self._lease_seconds = lease_seconds
        self._large_places = asyncio.Semaphore(LARGE_AT_ONCE)

    async def put_off(self, portion: Portion, claim_owner: str, held: Held) -> PutOff | None:
        """Why, and for how long, the delivery does not begin; None: it does, within a `turn`.

        Safe to repeat: a claim is kept for as much longer. `held` is known from attempt to attempt.

        Raises:
            StoreUnavailable: the database is away.
        """
        returning = activity.info().attempt > 1
        put_off = self._turns.enter(portion.enterprise_id, len(portion.notification_ids), returning=returning)
        code, until = held.pop(portion.enterprise_id, ("", 0.0))
        if put_off is None:
            return None
        enough = time.time() + put_off.seconds + self._lease_seconds
        if not (returning and code == put_off.code and until >= enough):
            async with self._place(portion):
                lease_seconds = math.ceil(put_off.seconds) + self._lease_seconds * HELD_LEASES
                until = time.time() + lease_seconds
                ours = await self._hold(portion, claim_owner, lease_seconds)
                if not ours:
                    return None  # settled, or another's: there is nothing to wait for, or to send
                await self._claims.note_faults(
                    portion.enterprise_id, claim_owner=claim_owner, notification_ids=ours, code=put_off.code
                )
        held[portion.enterprise_id] = (put_off.code.value, until)
        return put_off

    @asynccontextmanager
    async def turn(self, portion: Portion) -> AsyncIterator[None]:
        """While the delivery that was not put off runs."""
        try:
            yield
        finally:
            self._turns.leave(portion.enterprise_id, len(portion.notification_ids))

    def _place(self, portion: Portion) -> AbstractAsyncContextManager[None]:
        return nullcontext() if len(portion.notification_ids) <= SMALL else self._large_places

    async def _hold(self, portion: Portion, claim_owner: str, lease_seconds: int) -> frozenset[int]:
        """The rows that are the workflow's: those of earlier attempts, or else those that it can claim."""
        if activity.info().attempt > 1:
            held = await self._claims.renew_claims(
                portion.enterprise_id,
                claim_owner=claim_owner,
                chunks_sent=dict.fromkeys(portion.notification_ids, 0),  # the count never falls
                lease_seconds=lease_seconds,
            )
            if held:
                return held
        batch = await self._claims.claim(
            portion.enterprise_id, portion.notification_ids, claim_owner=claim_owner, lease_seconds=lease_seconds
        )
        claimed = [each.id for each in batch.notifications] + [each.notification_id for each in batch.unreadable]
        if not claimed:
            return frozenset()
        # Novu is not called: whoever goes on with them is to know that nothing of them is in doubt.
        rows = [HeldClaim(notification_id) for notification_id in claimed]
        return await self._claims.hold_claims(
            portion.enterprise_id, claim_owner=claim_owner, rows=rows, lease_seconds=lease_seconds
        )
