"""Who a batch's recipients are: what is known of them, and that Novu has their push and chat credentials."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.notification.recipient import KnownRecipients, Recipient
from shared.ports import (
    NotificationTrigger,
    RecipientStore,
    StoreAnswerTooLarge,
    StoreUnavailable,
    SubscriberCredentials,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerResult,
)

log = logging.getLogger("NotificationDelivery")

CREDENTIAL_ATTEMPTS = 5
"""Attempts of a delivery that faults of the credentials hold up; afterwards it goes out with what Novu has."""

CALLS_AT_ONCE = 8
PORTION = 100
"""Subscribers after whom progress is noted."""


@dataclass(slots=True)
class KeptCredentials:
    """`faulted` are the subscribers whose credentials Novu could not be given, for the reason of `fault`."""

    faulted: set[str] = field(default_factory=set)
    fault: TriggerFault | None = None


class Addressing:
    """Finds recipients, and keeps their credentials up at Novu."""

    def __init__(self, recipients: RecipientStore, credentials: Callable[[str], SubscriberCredentials]) -> None:
        """`credentials`: where those of an enterprise's recipients are kept."""
        self._recipients = recipients
        self._credentials = credentials

    async def find(self, enterprise_id: str, subscriber_ids: Iterable[str]) -> Mapping[str, Recipient]:
        """Those of these recipients of whom anything is known. What could not be read is logged, not raised.

        Raises:
            StoreUnavailable: the database is away.
        """
        known = await self._recipients.find(enterprise_id, subscriber_ids)
        _tell_unread(enterprise_id, known)
        return known.by_id

    async def keep(self, enterprise_id: str, recipients: Collection[Recipient]) -> KeptCredentials:
        """Give Novu the credentials of these.

        Safe to repeat: credentials are replaced by the same. A refusal is noted like a success, and logged: asking
        again would bring another.

        Raises:
            StoreUnavailable: the database is away; Novu will be given some again.
        """
        kept = KeptCredentials()
        waiting = list(recipients)
        for start in range(0, len(waiting), PORTION):
            portion = waiting[start : start + PORTION]
            await self._keep_portion(enterprise_id, portion, kept)
            if kept.fault is not None:
                kept.faulted.update(each.subscriber_id for each in waiting[start + PORTION :])
                break
        return kept

    async def _keep_portion(self, enterprise_id: str, portion: Sequence[Recipient], kept: KeptCredentials) -> None:
        places = asyncio.Semaphore(CALLS_AT_ONCE)
        credentials = self._credentials(enterprise_id)

        async def give(recipient: Recipient) -> TriggerResult:
            async with places:
                if kept.fault is not None:
                    return kept.fault
                answer = await credentials.give_credentials(recipient)
                if isinstance(answer, TriggerFault):
                    kept.fault = answer
                return answer

        answers = await asyncio.gather(*(give(recipient) for recipient in portion))
        done: dict[str, tuple[str, str | None]] = {}
        refused: list[str] = []
        for recipient, answer in zip(portion, answers, strict=True):
            if isinstance(answer, TriggerFault):
                kept.faulted.add(recipient.subscriber_id)
            elif recipient.credentials_hash is not None:
                reason = None if isinstance(answer, TriggerAccepted) else answer.reason
                done[recipient.subscriber_id] = (recipient.credentials_hash, reason)
                if reason is not None:
                    refused.append(reason)
        if done:
            await self._recipients.note_kept(enterprise_id, done)
        if refused:
            log.warning(
                "recipient_credentials_refused",
                extra={"enterprise_id": enterprise_id, "recipients": len(refused), "reasons": sorted(set(refused))},
            )


class AddressedTrigger:
    """Port NotificationTrigger, for one claimed batch: each event goes out with what is known of its recipients, once
    Novu has their credentials. Of those who did not come along with the claim, a round's are held at a time, and the
    next round's, which are read meanwhile.
    """

    def __init__(
        self,
        addressing: Addressing,
        trigger: NotificationTrigger,
        enterprise_id: str,
        known: KnownRecipients | None,
        *,
        next_events: Callable[[], Sequence[TriggerEvent]] = tuple,
        waits_for_credentials: bool = True,
    ) -> None:
        """`known` is what came along; None: it is asked for, of the `next_events` before it is needed. Unless it
        `waits_for_credentials`, events go out with what Novu has, where it could not be given more.
        """
        self._addressing = addressing
        self._trigger = trigger
        self._enterprise_id = enterprise_id
        self._known = known
        self._next_events = next_events
        self._waits_for_credentials = waits_for_credentials
        self._given: set[str] = set()
        self._ahead: tuple[frozenset[str], asyncio.Task[Mapping[str, Recipient]]] | None = None
        if known is not None:
            _tell_unread(enterprise_id, known)

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        """As the port; an event that waits for credentials, or for the database, is not sent."""
        try:
            known = await self._find(events)
            held_up = await self._keep(events, known)
        except StoreAnswerTooLarge:
            raise
        except StoreUnavailable as error:
            # What Novu has taken before is to be stored, as after any fault.
            return [TriggerFault(f"recipients could not be read: {error}")] * len(events)
        results: list[TriggerResult | None] = [_fault_of(event, held_up) for event in events]
        ready = [_addressed(event, known) for event, fault in zip(events, results, strict=True) if fault is None]
        answers = iter(await self._trigger.trigger(ready) if ready else [])
        return [next(answers) if result is None else result for result in results]

    def close(self) -> None:
        """Read nothing ahead any more."""
        if self._ahead is not None:
            _, reading = self._ahead
            self._ahead = None
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody waits for it
            reading.cancel()

    async def _find(self, events: Sequence[TriggerEvent]) -> Mapping[str, Recipient]:
        if self._known is not None:
            return self._known.by_id
        if self._is_ahead_of(events):
            assert self._ahead is not None
            known = await self._ahead[1]
        else:
            known = await self._read(events)
        coming = self._next_events()
        if not self._is_ahead_of(coming[:1]):  # events that go one by one have been read a hundred at a time
            self.close()
            ids = frozenset(event.transaction_id for event in coming)
            self._ahead = ids, asyncio.create_task(self._read(coming), name="recipients of the next round")
        return known

    def _is_ahead_of(self, events: Sequence[TriggerEvent]) -> bool:
        ids = frozenset() if self._ahead is None else self._ahead[0]
        return all(event.transaction_id in ids for event in events)

    async def _read(self, events: Sequence[TriggerEvent]) -> Mapping[str, Recipient]:
        return await self._addressing.find(self._enterprise_id, (each for event in events for each in _ids(event)))

    async def _keep(self, events: Sequence[TriggerEvent], known: Mapping[str, Recipient]) -> KeptCredentials:
        wanted = {
            each: known[each]
            for event in events
            if event.needs_credentials
            for each in (_ids(event) if known else ())
            if each in known and known[each].credentials and each not in self._given
        }
        if not wanted:
            return KeptCredentials()
        kept = await self._addressing.keep(self._enterprise_id, wanted.values())
        self._given |= wanted.keys() - kept.faulted
        if kept.fault is None:
            return kept
        extra = {"enterprise_id": self._enterprise_id, "recipients": len(kept.faulted), "reason": kept.fault.reason}
        log.warning("recipient_credentials_not_kept", extra=extra)
        return kept if self._waits_for_credentials else KeptCredentials()


def _ids(event: TriggerEvent) -> Iterable[str]:
    return (each if isinstance(each, str) else each.subscriber_id for each in event.recipients)


def _fault_of(event: TriggerEvent, held_up: KeptCredentials) -> TriggerFault | None:
    concerned = event.needs_credentials and not held_up.faulted.isdisjoint(_ids(event))
    return held_up.fault if concerned else None


def _addressed(event: TriggerEvent, known: Mapping[str, Recipient]) -> TriggerEvent:
    """Who is known goes with an address, of others the id."""
    if not known:
        return event
    people = ((each, known.get(each)) for each in _ids(event))
    return replace(event, recipients=tuple(it if it is not None and it.members else each for each, it in people))


def _tell_unread(enterprise_id: str, known: KnownRecipients) -> None:
    if known.fault is not None:
        log.warning("recipients_unread", extra={"enterprise_id": enterprise_id, "code": known.fault})
    if known.unread:
        log.warning("recipient_unread", extra={"enterprise_id": enterprise_id, "columns": dict(known.unread)})
