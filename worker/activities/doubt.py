"""What is done about rows of which nobody knows whether Novu has them (docs/decisions/0050-once.md)."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode, Sent
from shared.ports import HeldClaim, TakenEvents
from worker.activities.novu_fan_out import EVENTS_PER_ROUND, PendingNotification

IN_DOUBT = "in_doubt"
"""What health calls rows that are put off."""

MOST_REPEATS = 10
"""In doubt; the waits double, so that this is a day at the default wait. Then a person must look."""

LONGEST_WAIT_SECONDS = 4 * 3600.0

KEY_KEPT_SECONDS = 23 * 3600.0
"""Novu keeps what it answered to a key for a day."""

ASK_AGAIN_SECONDS = 30.0
"""After which a Novu that could not be asked is asked again: while it is away nothing is repeated."""

CALLS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class DoubtRules:
    """`wait_seconds` is how long Novu's queue is believed to be, `idempotent` whether Novu heeds `Idempotency-Key`."""

    wait_seconds: float = 120.0
    idempotent: bool = False

    def wait(self, repeats: int) -> float:
        """Seconds between an unanswered call and its repeat, the more so the more often it was."""
        return min(self.wait_seconds * 2.0 ** min(repeats, MOST_REPEATS), LONGEST_WAIT_SECONDS)


@dataclass(slots=True)
class JudgedDoubts:
    """`outcomes` of rows that Novu turned out to have, or that were repeated for too long; `sendable` may be sent now,
    `repeats` of them although Novu may have them; `put_off` are to be looked at again later.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    sendable: list[PendingNotification] = field(default_factory=list)
    repeats: list[HeldClaim] = field(default_factory=list)
    put_off: list[HeldClaim] = field(default_factory=list)


class Doubts:
    """Asks Novu, waits, and lets repeat."""

    def __init__(self, taken: Callable[[str], TakenEvents], rules: DoubtRules) -> None:
        """`taken`: who knows what became of an enterprise's events."""
        self._taken = taken
        self._rules = rules

    async def judge(self, enterprise_id: str, pending: Sequence[PendingNotification]) -> JudgedDoubts:
        """What is to become of these rows of an enterprise, most of which are in no doubt. Of others, chunks that Novu
        turns out to have are taken off their events. Never raises.
        """
        judged = JudgedDoubts()
        to_ask: list[PendingNotification] = []
        for each in pending:
            (judged.sendable if each.doubt_seconds is None or self._is_harmless(each) else to_ask).append(each)
        unasked = await self._ask(enterprise_id, to_ask) if to_ask else set()
        for each in to_ask:
            self._settle(each, judged, is_asked=each.notification_id not in unasked)
        return judged

    def left(self, pending: Iterable[PendingNotification]) -> list[HeldClaim]:
        """How rows are left whose call has just been left unanswered."""
        return [
            HeldClaim(
                each.notification_id,
                each.chunks_sent,
                tuple(each.chunks_beyond),
                in_doubt=True,
                # Its key tells nothing more, so the next call has another: as if there were none.
                refused=each.key_spent,
                repeated=each.key_spent,
                put_off_seconds=None
                if self._rules.idempotent and not each.key_spent
                else self._rules.wait(each.doubtful_repeats),
            )
            for each in pending
        ]

    def _is_harmless(self, pending: PendingNotification) -> bool:
        """Novu would answer the same call as it did, or would have."""
        assert pending.doubt_seconds is not None
        if pending.refusal is not None:
            return False
        return self._rules.idempotent and pending.doubt_seconds < min(self._rules.wait_seconds, KEY_KEPT_SECONDS)

    async def _ask(self, enterprise_id: str, pending: Sequence[PendingNotification]) -> set[int]:
        """Take off what Novu has; returns the notifications of which it cannot be asked now."""
        places = asyncio.Semaphore(CALLS_AT_ONCE)
        taken_events = self._taken(enterprise_id)

        async def ask(transaction_id: str) -> bool | None:
            async with places:
                return await taken_events.was_taken(transaction_id)

        # No round begins before the progress of the one before it is stored: nobody called Novu for what comes after.
        asked = [(each, event) for each in pending for event in islice(each.events, EVENTS_PER_ROUND)]
        answers = await asyncio.gather(*(ask(event.transaction_id) for _, event in asked))
        for (each, event), taken in zip(asked, answers, strict=True):
            if taken:
                each.take(event.chunk)
                each.events = deque(other for other in each.events if other.chunk != event.chunk)
        return {each.notification_id for (each, _), taken in zip(asked, answers, strict=True) if taken is None}

    def _settle(self, pending: PendingNotification, judged: JudgedDoubts, *, is_asked: bool) -> None:
        assert pending.doubt_seconds is not None
        remaining = self._rules.wait(pending.doubtful_repeats) - pending.doubt_seconds
        held = HeldClaim(pending.notification_id, pending.chunks_sent, tuple(pending.chunks_beyond))
        if not pending.events:
            judged.outcomes.append(Sent(pending.notification_id, pending.transaction_base))
        elif self._rules.idempotent and pending.refusal is None and pending.doubt_seconds < KEY_KEPT_SECONDS:
            judged.sendable.append(pending)
        elif remaining > 0 or not is_asked:
            judged.put_off.append(replace(held, put_off_seconds=max(remaining, 0.0 if is_asked else ASK_AGAIN_SECONDS)))
        elif pending.refusal is not None:
            details = {**pending.refusal.details, "chunks_sent": pending.chunks_sent}
            judged.outcomes.append(Failed(pending.notification_id, replace(pending.refusal, details=details)))
        elif pending.doubtful_repeats >= MOST_REPEATS:
            judged.outcomes.append(Failed(pending.notification_id, _given_up(pending)))
        else:
            judged.sendable.append(pending)
            judged.repeats.append(replace(held, repeated=True, answered=False))


def _given_up(pending: PendingNotification) -> Refusal:
    return Refusal(
        RefusalCode.DELIVERY_TIMED_OUT,
        f"Novu left {pending.doubtful_repeats + 1} calls unanswered; it may have taken any of them",
        {"chunks_sent": pending.chunks_sent, "doubtful_repeats": pending.doubtful_repeats},
    )
