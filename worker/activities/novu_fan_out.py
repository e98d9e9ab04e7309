"""Sends a batch's events to Novu in rounds, keeping the claims alive and each notification's progress on its row."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile

from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode, Sent
from shared.ports import (
    FaultCode,
    NotificationTrigger,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
)

EVENTS_PER_ROUND = 100
FAULTS_THAT_MEAN_AN_OUTAGE = 3
"""Rounds in a row that met nothing but faults: stop asking, and come back after the backoff."""

NOTHING_IS_TAKEN = (FaultCode.NOVU_RATE, FaultCode.NOVU_PAYMENT_REQUIRED)
"""Faults that the next event would meet, too."""

RenewClaims = Callable[[Mapping[int, int]], Awaitable[frozenset[int]]]
"""Takes the count of accepted chunks of each notification, answers which are still ours."""


@dataclass(slots=True)
class PendingNotification:
    """One notification's way through Novu: the events still to send, and how many chunks Novu has accepted."""

    notification_id: int
    transaction_base: str
    chunks_sent: int
    events: deque[TriggerEvent]
    chunks_stored: int = field(init=False)
    """As the row knows it: what a crash now would not send again."""

    def __post_init__(self) -> None:
        self.chunks_stored = self.chunks_sent


@dataclass(slots=True)
class FanOutResult:
    """What was settled, and what was not: accepted chunks of the notifications that met a fault, and the last fault."""

    outcomes: list[Outcome] = field(default_factory=list)
    faulted: dict[int, int] = field(default_factory=dict)
    fault: TriggerFault | None = None


async def fan_out(
    notifications: Sequence[PendingNotification],
    trigger: NotificationTrigger,
    renew_claims: RenewClaims,
    *,
    renew_every_seconds: float,
    one_by_one: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> FanOutResult:
    """Send until every notification is settled, faulted or no longer ours.

    Claims are renewed when progress is worth storing, and every `renew_every_seconds`. `one_by_one` gives each event a
    call of its own: after bulk calls have failed repeatedly, that is how one event that Novu chokes on stops failing
    its batch mates.
    """
    result = FanOutResult()
    queue = deque(notifications)
    barren_rounds = 0
    renewed_at = clock()
    while queue:
        this_round = list(_next_round(queue, 1 if one_by_one else EVENTS_PER_ROUND))
        answers = await trigger.trigger([event for _, event in this_round])
        unfinished = _apply(this_round, answers, result)
        barren_rounds = barren_rounds + 1 if all(isinstance(answer, TriggerFault) for answer in answers) else 0
        queue = deque([*unfinished, *(pending for pending in queue if pending.notification_id not in result.faulted)])
        if barren_rounds == FAULTS_THAT_MEAN_AN_OUTAGE or (result.fault and result.fault.code in NOTHING_IS_TAKEN):
            result.faulted |= {pending.notification_id: pending.chunks_sent for pending in queue}
            break
        if queue and (_has_progress(queue) or clock() - renewed_at >= renew_every_seconds):
            queue = await _renew(queue, renew_claims)
            renewed_at = clock()
    return result


def _has_progress(queue: Iterable[PendingNotification]) -> bool:
    return any(pending.chunks_sent > pending.chunks_stored for pending in queue)


async def _renew(queue: Iterable[PendingNotification], renew_claims: RenewClaims) -> deque[PendingNotification]:
    """Those that are still ours."""
    held = await renew_claims({pending.notification_id: pending.chunks_sent for pending in queue})
    ours = deque(pending for pending in queue if pending.notification_id in held)
    for pending in ours:
        pending.chunks_stored = pending.chunks_sent
    return ours


def _next_round(queue: deque[PendingNotification], size: int) -> Iterator[tuple[PendingNotification, TriggerEvent]]:
    """Take the next events off the queue; a notification's events stay together and in order."""
    taken = 0
    while queue and taken < size:
        pending = queue.popleft()
        while pending.events and taken < size:
            yield pending, pending.events.popleft()
            taken += 1


def _apply(
    this_round: Sequence[tuple[PendingNotification, TriggerEvent]],
    answers: Sequence[TriggerResult],
    result: FanOutResult,
) -> list[PendingNotification]:
    """Settle each notification by its first answer that is not "accepted"; returns those with events left to send."""
    unfinished = []
    pairs = zip(this_round, answers, strict=True)
    for _, group in groupby(pairs, key=lambda pair: pair[0][0].notification_id):
        members = list(group)
        pending = members[0][0][0]
        own_answers = [answer for _, answer in members]
        accepted = len(list(takewhile(lambda answer: isinstance(answer, TriggerAccepted), own_answers)))
        pending.chunks_sent += accepted
        notification_id = pending.notification_id
        if accepted == len(own_answers):
            if pending.events:
                unfinished.append(pending)
            else:
                result.outcomes.append(Sent(notification_id, pending.transaction_base))
            continue
        answer = own_answers[accepted]
        if isinstance(answer, TriggerFault):
            result.faulted[notification_id] = pending.chunks_sent
            result.fault = answer
        else:
            assert not isinstance(answer, TriggerAccepted)
            result.outcomes.append(Failed(notification_id, _refusal(answer, pending.chunks_sent)))
    return unfinished


def _refusal(answer: TriggerRefused, chunks_sent: int) -> Refusal:
    if answer.code is RefusalCode.NOVU_REFUSED:
        details = {"novu": answer.reason, "chunks_sent": chunks_sent}
        return Refusal(answer.code, f"Novu refused the event: {answer.reason}", details)
    return Refusal(answer.code, f"not sent to Novu: {answer.reason}", {"chunks_sent": chunks_sent})
