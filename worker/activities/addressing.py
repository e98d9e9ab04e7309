"""Who a batch's recipients are: what is known of them, and that Novu has their push and chat credentials."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.notification.models import Channel, ClaimedBatch, Notification, NovuWorkflow, WorkflowType
from shared.notification.recipient import KnownRecipients, Recipient
from shared.ports import RecipientStore, SubscriberCredentials, TriggerAccepted, TriggerFault, TriggerResult
from worker.activities.preparation import channels_of

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

    async def find(self, enterprise_id: str, batch: ClaimedBatch) -> Mapping[str, Recipient]:
        """Those of the batch's recipients of whom anything is known. What could not be read is logged, not raised.

        Raises:
            StoreUnavailable: the database is away.
        """
        known = batch.recipients
        if known is None:
            named = (subscriber for notification in batch.notifications for subscriber in notification.recipients)
            known = await self._recipients.find(enterprise_id, named)
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


def whose_credentials(
    notification: Notification, workflow: NovuWorkflow, known: Mapping[str, Recipient]
) -> Iterable[Recipient]:
    """The notification's recipients whose credentials Novu is to be given before it is sent.

    Which channels a STATIC workflow has only Novu knows.
    """
    if not known:
        return
    if workflow.type is WorkflowType.DYNAMIC and not {Channel.PUSH, Channel.CHAT} & {
        *channels_of(notification, workflow)
    }:
        return
    for subscriber_id in dict.fromkeys(notification.recipients):
        recipient = known.get(subscriber_id)
        if recipient is not None and recipient.credentials:
            yield recipient


def _tell_unread(enterprise_id: str, known: KnownRecipients) -> None:
    if known.fault is not None:
        log.warning("recipients_unread", extra={"enterprise_id": enterprise_id, "code": known.fault})
    if known.unread:
        log.warning("recipient_unread", extra={"enterprise_id": enterprise_id, "columns": dict(known.unread)})
