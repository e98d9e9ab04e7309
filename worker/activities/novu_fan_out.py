"""Sends a batch's events to Novu in rounds, keeping the claims alive and each notification's progress on its row."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode, Sent
from shared.ports import (
    FaultCode,
    NotificationTrigger,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
    TriggerUnknown,
)
from worker.activities.kept_claims import while_renewing

EVENTS_PER_ROUND = 100
FAULTS_THAT_MEAN_AN_OUTAGE = 3
"""Rounds in a row that met nothing but faults: stop asking, and come back after the backoff."""

GIVES_WAY_AFTER_SECONDS = 240.0
"""Well before Temporal takes the attempt for lost. What is left is put off, and goes on where this ended."""

GIVES_WAY = TriggerFault("others have their turn", 1.0, FaultCode.NOVU_RATE)

NOTHING_IS_TAKEN = (
    FaultCode.NOVU_RATE,
    FaultCode.ENTERPRISE_RATE,
    FaultCode.NOVU_PAYMENT_REQUIRED,
    FaultCode.NOVU_KEY_MISSING,
)
"""Faults that the next event would meet, too."""

RenewClaims = Callable[[Mapping[int, int]], Awaitable[frozenset[int]]]
"""Takes the count of accepted chunks of each notification, answers which are still ours."""


@dataclass(slots=True)
class PendingNotification:
    """One notification's way through Novu: the events still to send, and which chunks Novu has accepted.

    `chunks_sent` counts the leading ones, `chunks_beyond` are those after one that Novu has not accepted. Of
    `doubt_seconds` and `doubtful_repeats` see Notification; `key_spent` is what Novu said of a fault or a doubt.
    `refusal`: it is in doubt and not to be sent any more; what it ends with unless Novu turns out to have it.
    """

    notification_id: int
    transaction_base: str
    chunks_sent: int
    events: deque[TriggerEvent]
    chunks_beyond: set[int] = field(default_factory=set)
    doubt_seconds: float | None = None
    doubtful_repeats: int = 0
    key_spent: bool = False
    refusal: Refusal | None = None
    chunks_stored: int = field(init=False)
    """As the row knows it: what a crash now would not send again."""

    def __post_init__(self) -> None:
        self.chunks_stored = self.chunks_sent
        # A chunk of which everybody was erased has no event, and is never taken: progress does not stop before it.
        waiting = {event.chunk for event in self.events}
        for chunk in range(self.chunks_sent, max(waiting, default=0)):
            if chunk not in waiting:
                self.take(chunk)

    def take(self, chunk: int) -> None:
        """Novu has accepted this chunk."""
        self.chunks_beyond.add(chunk)
        while self.chunks_sent in self.chunks_beyond:
            self.chunks_beyond.remove(self.chunks_sent)
            self.chunks_sent += 1


@dataclass(slots=True)
class FanOutResult:
    """What was settled, and what was not: notifications that met a fault, with the last fault, and those of which
    nobody knows whether Novu has them, with the last cause.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    faulted: dict[int, PendingNotification] = field(default_factory=dict)
    fault: TriggerFault | None = None
    doubtful: dict[int, PendingNotification] = field(default_factory=dict)
    doubt: TriggerUnknown | None = None
    asked_again: bool = False
    """Some of those in doubt are to be asked for again at once, as if they had met a fault."""


async def fan_out(
    notifications: Sequence[PendingNotification],
    trigger: NotificationTrigger,
    renew_claims: RenewClaims,
    *,
    renew_every_seconds: float,
    one_by_one: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> FanOutResult:
    """Send until every notification is settled, faulted, in doubt or no longer ours.

    Claims are renewed when progress is worth storing, and every `renew_every_seconds`, a call under way or not. What is
    not through after GIVES_WAY_AFTER_SECONDS is put off.
    `one_by_one` gives each event a call of its own: after bulk calls have failed repeatedly, that is how one event that
    Novu chokes on stops failing its batch mates.
    """
    result = FanOutResult()
    queue = deque(notifications)
    barren_rounds = 0
    began = renewed_at = clock()
    while queue:
        waiting = list(queue)
        this_round = list(_next_round(queue, 1 if one_by_one else EVENTS_PER_ROUND))

        async def renew_meanwhile(waiting: Sequence[PendingNotification] = waiting) -> None:
            await renew_claims({pending.notification_id: pending.chunks_sent for pending in waiting})

        calling = trigger.trigger([event for _, event in this_round])
        answers = await while_renewing(calling, renew_meanwhile, every_seconds=renew_every_seconds)
        unfinished = _apply(this_round, answers, result)
        barren_rounds = barren_rounds + 1 if all(_is_fault(answer) for answer in answers) else 0
        left = result.faulted.keys() | result.doubtful.keys()
        queue = deque([*unfinished, *(pending for pending in queue if pending.notification_id not in left)])
        if queue and clock() - began >= GIVES_WAY_AFTER_SECONDS:
            result.fault = result.fault or GIVES_WAY
            result.faulted |= {pending.notification_id: pending for pending in queue}
            break
        if barren_rounds == FAULTS_THAT_MEAN_AN_OUTAGE or (result.fault and result.fault.code in NOTHING_IS_TAKEN):
            result.faulted |= {pending.notification_id: pending for pending in queue}
            break
        if queue and (_has_progress(queue) or clock() - renewed_at >= renew_every_seconds):
            queue = await _renew(queue, renew_claims)
            renewed_at = clock()
    return result


def next_round(notifications: Iterable[PendingNotification]) -> list[TriggerEvent]:
    """What a round of these would begin with, if one began now and none of them was settled."""
    return list(islice((event for pending in notifications for event in pending.events), EVENTS_PER_ROUND))


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
    """Settle each notification unless all of its events were accepted; returns those with events left to send."""
    unfinished = []
    pairs = zip(this_round, answers, strict=True)
    for notification_id, group in groupby(pairs, key=lambda pair: pair[0][0].notification_id):
        members = list(group)
        pending = members[0][0][0]
        for (_, event), answer in members:
            if isinstance(answer, TriggerAccepted):
                pending.take(event.chunk)
        others = [answer for _, answer in members if not isinstance(answer, TriggerAccepted)]
        pending.key_spent = any(isinstance(it, TriggerFault | TriggerUnknown) and it.key_spent for it in others)
        # Doubt first: a refusal of one chunk would be met again, and nobody would ask any more what became of another.
        if unknown := [answer for answer in others if isinstance(answer, TriggerUnknown)]:
            result.doubtful[notification_id] = pending
            result.doubt = unknown[0]
        elif refused := [answer for answer in others if isinstance(answer, TriggerRefused)]:
            result.outcomes.append(Failed(notification_id, _refusal(refused[0], pending)))
        elif faults := [answer for answer in others if isinstance(answer, TriggerFault)]:
            result.faulted[notification_id] = pending
            result.fault = faults[0]
        elif pending.events:
            unfinished.append(pending)
        else:
            result.outcomes.append(Sent(notification_id, pending.transaction_base))
    return unfinished


def _is_fault(answer: TriggerResult) -> bool:
    return isinstance(answer, TriggerFault | TriggerUnknown)


def _refusal(answer: TriggerRefused, pending: PendingNotification) -> Refusal:
    details: dict[str, object] = {"chunks_sent": pending.chunks_sent}
    if pending.chunks_beyond:
        details["chunks_beyond"] = len(pending.chunks_beyond)
    if answer.code is RefusalCode.NOVU_REFUSED:
        return Refusal(answer.code, f"Novu refused the event: {answer.reason}", {"novu": answer.reason, **details})
    return Refusal(answer.code, f"not sent to Novu: {answer.reason}", details)
