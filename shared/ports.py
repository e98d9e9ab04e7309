"""Every Protocol between our code and the outside. Adapters implement them; only bootstrap modules choose one."""

from collections.abc import AsyncIterator, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from shared.health.observations import ComponentReport, DatabaseObservation, TemporalObservation
from shared.notification.delivery import DeliveryFact
from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Outcome, RefusalCode
from shared.notification.priority import NORMAL
from shared.notification.recipient import KnownRecipients, Recipient


class StoreUnavailable(Exception):
    """The database could not answer: a passing fault, worth trying again.

    Its message quotes no argument and no row. `code` is PostgreSQL's, PostgREST's or HTTP's, if one of them answered.
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class StoreAnswerTooLarge(StoreUnavailable):
    """The database answered, with more than anybody should hold: asking for less may do."""


@dataclass(frozen=True, slots=True)
class DueNotifications:
    """One enterprise's page of due rows that nobody holds, in id order.

    `pending` of them were never claimed, `expired` had a claim whose lease ran out.
    `has_more` says that the page was full: ask again after the last id.

    With the first page come the next instant for which a row is scheduled, and retracted rows that Novu is still to
    be asked to cancel; a page may hold nothing else. So do the `urgent` ones of the whole backlog, in order of their
    priority, each with its own; `priorities` has those of the page that are not the normal one.
    """

    enterprise_id: str
    notification_ids: tuple[int, ...]
    pending: int
    expired: int
    has_more: bool
    next_scheduled_at: datetime | None = None
    uncancelled: tuple[int, ...] = ()
    priorities: Mapping[int, int] = field(default_factory=dict)
    urgent: tuple[tuple[int, int], ...] = ()


class FeedWay(StrEnum):
    """How rings are carried from the database to a listener."""

    POSTGRES_CHANGES = "postgres_changes"
    BROADCAST = "broadcast"


@dataclass(frozen=True, slots=True)
class FeedFlaw:
    """Something that keeps row changes from a listener, and the statement (or statements) that mends it."""

    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class LookoutFindings:
    """`unread_rules` are the enterprises whose scheduler has not read its rules since they changed, and for how many
    seconds; `flaws` what keeps row changes from the listener.
    """

    unread_rules: Mapping[str, float]
    flaws: tuple[FeedFlaw, ...]


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


class NotificationStore(NotificationClaims, Protocol):
    """The table of notifications: claims, and what is due."""

    async def list_due(
        self, enterprise_ids: Collection[str], *, page_size: int, after_id: int = 0
    ) -> list[DueNotifications]:
        """Due rows that nobody holds, at most `page_size` for each enterprise, with ids above `after_id`.

        Enterprises of which there is nothing to say are left out.
        """
        ...

    async def look_out(self, enterprise_ids: Collection[str], way: FeedWay) -> LookoutFindings:
        """What the feed of row changes does not tell of these enterprises, and what keeps them from its way."""
        ...

    async def sing(self, listener_id: str, way: FeedWay) -> int:
        """Ring a beat for the listener itself; returns its number, which should come back this way.

        For some time from now on, rings are carried this way.
        """
        ...


@dataclass(frozen=True, slots=True)
class CronRule:
    """One active CRON rule. `trigger_config` is whatever JSON its author wrote; `unreadable` why it is not sent along.

    Every instant up to `fired_through` is decided; `schedule_error` is why the rule could not fire when last tried.
    """

    id: int
    trigger_config: Any
    fired_through: datetime
    schedule_error: str | None
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class CronRules:
    """An enterprise's active CRON rules, in id order, and the database's clock when it read them."""

    now: datetime
    rules: tuple[CronRule, ...]


@dataclass(frozen=True, slots=True)
class RuleFirings:
    """What was decided about one rule: the instants to fire, each of which becomes a notification.

    `decided_through` is the `now` of the CronRules decided upon, `expected_fired_through` the rule's `fired_through`
    there. `error` is why the rule cannot fire, for its author to see; None takes an earlier one back.
    """

    rule_id: int
    instants: tuple[datetime, ...]
    decided_through: datetime
    expected_fired_through: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FiredRules:
    """`fired` rows were written, `already_fired` existed. Nothing was written for the rules in `skipped_rule_ids`:
    they have changed, or another scheduler was faster. `notification_ids` are those of the first 1,000 new rows. The
    rules of `unwritable_rule_ids` have fired, or not, and the database refused to have them say why.
    """

    fired: int
    already_fired: int
    skipped_rule_ids: tuple[int, ...]
    notification_ids: tuple[int, ...]
    unwritable_rule_ids: tuple[int, ...] = ()


class RuleStore(Protocol):
    """The table of rules. Both methods raise StoreUnavailable on a passing fault."""

    async def cron_rules(self, enterprise_id: str) -> CronRules:
        """The active CRON rules whose workflow is active too; those with `enabled: false` among them.

        For the scheduler alone: what is read counts as known to it.
        """
        ...

    async def fire_rules(
        self, enterprise_id: str, firings: Sequence[RuleFirings], *, next_due_at: datetime | None
    ) -> FiredRules:
        """Write the notifications of these instants and note that the scheduler has looked.

        Safe to repeat: an instant of a rule is one row. A rule whose payload cannot be sent gets an error instead.
        """
        ...


@dataclass(frozen=True, slots=True)
class DueScheduled:
    """Scheduled rows that are due, earliest first, and when the next will be; `now` is the database's clock.

    `has_more` says that the page was full: ask again once these are claimed. `priorities` has those of the rows whose
    priority is not the normal one.
    """

    now: datetime
    notification_ids: tuple[int, ...]
    has_more: bool
    next_due_at: datetime | None
    priorities: Mapping[int, int] = field(default_factory=dict)

    @property
    def seconds_until_next(self) -> float | None:
        """From the database's now to the next due instant, always positive; None if there is none."""
        return None if self.next_due_at is None else (self.next_due_at - self.now).total_seconds()


class ScheduleStore(Protocol):
    """Rows with a `scheduled_for`."""

    async def due_scheduled(self, enterprise_id: str, *, limit: int) -> DueScheduled:
        """At most `limit` due rows that nobody has claimed; notes that the scheduler has looked.

        Raises StoreUnavailable on a passing fault.
        """
        ...


@dataclass(frozen=True, slots=True)
class RetractedNotification:
    """A retracted notification that reached Novu; it went out in chunks of `recipient_count` distinct recipients.

    `settled` is False if its claim lapsed without a report: then nobody knows whether it reached Novu. `second_tries`
    are how many chunks each of them has, in their order.
    """

    id: int
    transaction_id: str
    recipient_count: int
    settled: bool = True
    second_tries: tuple[int, ...] = ()


class RetractionStore(Protocol):
    """Retracted rows that Novu is to be asked to cancel. Both methods raise StoreUnavailable on a passing fault."""

    async def retractions_to_cancel(
        self, enterprise_id: str, notification_ids: Sequence[int]
    ) -> list[RetractedNotification]:
        """Those of the rows that are retracted, may have reached Novu, are in nobody's hands, and are not yet
        cancelled.
        """
        ...

    async def record_cancellations(
        self, enterprise_id: str, cancellations: Mapping[int, Mapping[str, Any]]
    ) -> frozenset[int]:
        """Store what Novu answered, by notification id; returns the ids of the rows that carry an answer now.

        An answer should hold `settled` as it was read: where a late report has come in since, it is not stored, and
        the row will be listed again. Safe to repeat: the first answer stays.
        """
        ...


@dataclass(frozen=True, slots=True)
class Unaccounted:
    """Rows that are due and that nobody has held for too long, and the age of the oldest; 0 of both is normal."""

    rows: int
    oldest_age_seconds: float


@dataclass(frozen=True, slots=True)
class SchedulerPass:
    """When an enterprise's scheduler, "cron" or "scheduled", last looked, and the next instant it knew of."""

    enterprise_id: str
    scheduler: str
    last_pass_at: datetime
    next_due_at: datetime | None


class OrchestrationStore(Protocol):
    """What the orchestration shows. Both methods raise StoreUnavailable on a passing fault."""

    async def unaccounted(self, enterprise_ids: Collection[str], *, older_than_seconds: int) -> Unaccounted:
        """Count the rows that have been due and free for at least so long."""
        ...

    async def scheduler_passes(self, enterprise_ids: Collection[str]) -> list[SchedulerPass]:
        """The last passes, of those schedulers that ever made one."""
        ...


class HeartbeatStore(Protocol):
    """What a listener or a worker says of itself. All methods raise StoreUnavailable on a passing fault."""

    async def publish(self, report: ComponentReport) -> None:
        """Replace the component's latest report; the database's clock dates it."""
        ...

    async def withdraw(self, component_id: str) -> None:
        """Take the component's report away: it has ended. Safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class ShareOut:
    """Which shards each running listener hears, the one that asks among them; and what it may give up now."""

    listeners: Mapping[str, frozenset[int]]
    given: frozenset[int]


class ShareStore(Protocol):
    """How the listeners of a deployment share its shards. All methods raise StoreUnavailable on a passing fault."""

    async def share(self, listener_id: str, hears: Collection[int], gives: Collection[int]) -> ShareOut:
        """Say that this listener is here, and what it hears. Of what it `gives` it may give up what somebody else hears
        who was seen since this one came; to the others that is what it hears no more.
        """
        ...

    async def leave(self, listener_id: str) -> None:
        """It has ended, and hears nothing. Safe to repeat."""
        ...


class HealthStore(Protocol):
    """What all components say of themselves, and what the tables say about how well deliveries go."""

    async def look(
        self, own: Sequence[ComponentReport], *, max_age_seconds: float, recent_seconds: float, failures: int
    ) -> tuple[list[ComponentReport], DatabaseObservation]:
        """Publish `own`; then read the reports of all components that have reported within `max_age_seconds`, theirs
        included, and of the enterprises that the listeners among them serve: due rows, schedulers' passes, what ended
        within `recent_seconds`, and the latest `failures` failed rows. One round trip.

        Raises StoreUnavailable on a passing fault.
        """
        ...


class TemporalObserving(Protocol):
    """What Temporal says of the task queue and the orchestration."""

    async def observe(self) -> TemporalObservation:
        """Ask now; never raises: an observation without an answer says why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class TriggerEvent:
    """One call to Novu for at most 100 recipients: a subscriber's id, or what is known of a subscriber."""

    novu_workflow_key: str
    recipients: tuple[str | Recipient, ...] = field(repr=False)
    payload: Mapping[str, Any]
    overrides: Mapping[str, Any]
    transaction_id: str
    enterprise_id: str = ""
    chunk: int = 0
    idempotency_round: int = 0
    """How many calls for its row Novu has definitely refused: another Idempotency-Key each."""


@dataclass(frozen=True, slots=True)
class TriggerAccepted:
    """Novu will process the event."""


@dataclass(frozen=True, slots=True)
class TriggerRefused:
    """Novu will never process the event as it is; `reason` is Novu's own word for it.

    Under any other `code` the event was not sent at all, because Novu would not have taken it, and `reason` is ours.
    """

    reason: str
    code: RefusalCode = RefusalCode.NOVU_REFUSED


class FaultCode(StrEnum):
    """What kept an event from Novu, as health and metrics call it; each has its line in docs/error_codes.md.

    NOVU_RATE: it was not sent, because Novu's rate is used up for now. NOVU_PAYMENT_REQUIRED: nothing is taken.
    """

    NOVU_FAULT = "novu_fault"
    NOVU_RATE = "novu_rate"
    NOVU_PAYMENT_REQUIRED = "novu_payment_required"


@dataclass(frozen=True, slots=True)
class TriggerFault:
    """Novu has definitely not taken the event, and may another time: it said so, or was not asked.

    `retry_after_seconds` is what Novu asked for, if it did. `key_spent`: under the same Idempotency-Key it would give
    this very answer again.
    """

    reason: str
    retry_after_seconds: float | None = None
    code: FaultCode = FaultCode.NOVU_FAULT
    key_spent: bool = False


@dataclass(frozen=True, slots=True)
class TriggerUnknown:
    """Nobody knows whether Novu took the event: its answer was lost, or is still to be made.

    `key_spent`: Novu had been called under this Idempotency-Key for an event of another content, and tells no more.
    """

    reason: str
    retry_after_seconds: float | None = None
    key_spent: bool = False


TriggerResult = TriggerAccepted | TriggerRefused | TriggerFault | TriggerUnknown


RateCategory = Literal["trigger", "configuration", "global"]
"""Novu counts these by themselves: events; subscribers and workflows; everything else."""


@dataclass(frozen=True, slots=True)
class TokenBlock:
    """`granted` requests may be made `wait_seconds` from now; none: Novu takes nothing until then.

    With `unpaid_since` Novu wants to be paid, and the one request granted is to find out whether it still does.
    """

    granted: int
    wait_seconds: float
    unpaid_since: datetime | None = None


class NovuTokens(Protocol):
    """What a deployment may ask of Novu, shared by all its processes. All methods raise StoreUnavailable."""

    async def take(
        self,
        category: RateCategory,
        *,
        needed: int,
        spare: int,
        per_second: float,
        burst: float,
        probe_seconds: float,
    ) -> TokenBlock:
        """A block of at most `needed` tokens, and of `spare` more while there are plenty. What is not used is lost.

        While Novu wants to be paid, one token is given in `probe_seconds`.
        """
        ...

    async def pause(self, category: RateCategory, seconds: float) -> None:
        """Novu has answered that the rate is used up."""
        ...

    async def note_payment(self, category: RateCategory, *, required: bool, probe_seconds: float) -> None:
        """Novu has answered 402, or takes requests again. Safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class PutOff:
    """A request that is not to be made now, but in about so many seconds."""

    seconds: float
    code: FaultCode
    reason: str

    def fault(self) -> TriggerFault:
        """The same, as an event's result."""
        return TriggerFault(self.reason, self.seconds, self.code)


class NovuRates(Protocol):
    """Keeps a process's requests within Novu's rate. Whoever calls Novu takes before, and heeds afterwards."""

    async def take(
        self, category: RateCategory, lane: Hashable, *, cost: int = 1, within_seconds: float
    ) -> PutOff | None:
        """Wait for one's turn; None: go ahead. Lanes (an enterprise, say) get their tokens by turns. Never raises."""
        ...

    async def heed(self, category: RateCategory, status: int, headers: Mapping[str, str]) -> None:
        """Learn from Novu's answer: its rate, that it is used up, that it is to be paid. Never raises."""
        ...

    def bulk_from(self, category: RateCategory) -> int:
        """From how many events on a bulk request is worth its tokens."""
        ...


class NotificationTrigger(Protocol):
    """Novu's event endpoints."""

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        """Trigger the events in as few calls as the limits allow; one result for each, in order. Never raises."""
        ...


class TakenEvents(Protocol):
    """Novu's account of what it has processed."""

    async def was_taken(self, transaction_id: str) -> bool | None:
        """True: Novu has processed it, for whichever recipients. False: not that it knows of; it may be on its queue.
        None: it cannot be asked now. Never raises.
        """
        ...


class RecipientStore(Protocol):
    """What the project knows of subscribers. Both methods raise StoreUnavailable on a passing fault."""

    async def find(self, enterprise_id: str, subscriber_ids: Iterable[str]) -> KnownRecipients:
        """What is known of these subscribers of the enterprise, in as many calls as it takes."""
        ...

    async def note_kept(self, enterprise_id: str, kept: Mapping[str, tuple[str, str | None]]) -> None:
        """Note, by subscriber id, the hash of the credentials that Novu was given, and why it refused them, if it did.

        Safe to repeat.
        """
        ...


class SubscriberCredentials(Protocol):
    """Novu's keeping of push and chat credentials."""

    async def give_credentials(self, recipient: Recipient) -> TriggerResult:
        """Have Novu hold the recipient's credentials, and no others of the same providers. Never raises."""
        ...


class ProcessingStarter(Protocol):
    """Starts the processing of rows, wherever workflows run."""

    async def start(self, enterprise_id: str, notification_ids: Sequence[int], *, priority: int = NORMAL) -> bool:
        """Start one workflow for all the ids; False if that very work runs already."""
        ...


@dataclass(frozen=True, slots=True)
class TriggerableNotification:
    """A row that somebody asks to have sent. `active` and `due` as in docs/database_functions.md, by the database's
    clock; `status` is the row's.
    """

    id: int
    enterprise_id: str
    status: str
    active: bool
    due: bool
    scheduled_for: datetime | None


@dataclass(frozen=True, slots=True)
class NewNotification:
    """A row to be made and sent, at `scheduled_for` if that is to come. JSON values, NaN and U+0000 excluded."""

    enterprise_id: str
    workflow_key: str
    recipients: tuple[str, ...]
    payload: Mapping[str, Any]
    overrides: Mapping[str, Any] | None = None
    scheduled_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's word for one request; `request_hash` tells whether another request bears the same key."""

    key: str
    request_hash: str


class CreateRefusal(StrEnum):
    """Why no row was made."""

    WORKFLOW_NOT_FOUND = "workflow_not_found"
    INVALID_RECIPIENTS = "invalid_recipients"
    REFUSED_BY_DATABASE = "refused_by_database"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"


@dataclass(frozen=True, slots=True)
class CreatedNotification:
    """The row that was made, by this call or, if `repeated`, by an earlier one under the same key.

    `notification_id` is None after a dry run that would have made it.
    """

    notification_id: int | None
    repeated: bool
    due: bool


class KeyUse(StrEnum):
    """What a key had been used for before: nothing, this request, or another."""

    FIRST = "first"
    REPEATED = "repeated"
    CONFLICT = "conflict"


class TriggerStore(Protocol):
    """What a caller who wants something sent needs of the tables. All methods raise StoreUnavailable."""

    async def find(
        self, enterprise_ids: Collection[str], notification_ids: Collection[int]
    ) -> list[TriggerableNotification]:
        """Those of the rows that exist and belong to one of the enterprises."""
        ...

    async def create(
        self, notification: NewNotification, *, idempotency_key: IdempotencyKey | None, dry_run: bool
    ) -> CreatedNotification | CreateRefusal:
        """Make the row, published and PENDING; once for each key, however many ask at once.

        Without a key every call makes a row. A dry run checks everything and makes nothing.
        """
        ...

    async def use_key(
        self, enterprise_id: str, idempotency_key: IdempotencyKey, *, notification_id: int, dry_run: bool
    ) -> KeyUse:
        """Note that the key stands for a request about rows that exist, of which `notification_id` is the first.

        A dry run only looks.
        """
        ...


class CancelFailed(Exception):
    """Novu did not say whether it cancelled; `fault` is why."""

    def __init__(self, fault: TriggerFault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


class SentNotificationCancelling(Protocol):
    """Novu's way back."""

    async def cancel(self, transaction_id: str) -> bool:
        """Cancel what Novu still holds back of a triggered event; False if there is nothing left to cancel.

        Raises CancelFailed on a passing fault; asking again is harmless.
        """
        ...


class ChangeType(StrEnum):
    """What happened to the row."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"


@dataclass(frozen=True, slots=True)
class RowChange:
    """A notification row appeared or changed in a way that means work. `committed_at` is the transaction's time."""

    enterprise_id: str
    notification_id: int
    change: ChangeType
    committed_at: datetime | None = None
    priority: int = NORMAL


@dataclass(frozen=True, slots=True)
class RowScheduled:
    """A notification row appeared or changed that will be due at `scheduled_for`, in the future."""

    enterprise_id: str
    scheduled_for: datetime


@dataclass(frozen=True, slots=True)
class RowRetracted:
    """A notification row that was sent has turned RETRACTED."""

    enterprise_id: str
    notification_id: int
    priority: int = NORMAL


@dataclass(frozen=True, slots=True)
class RuleChanged:
    """A rule row of the enterprise appeared or changed."""

    enterprise_id: str


class FeedState(StrEnum):
    """One enterprise's seat on the feed, as last observed."""

    RECONNECTING = "reconnecting"
    CATCHING_UP = "catching_up"
    SUBSCRIBED = "subscribed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FeedGap:
    """Changes of these enterprises may have been missed: read the table. Sent after every (re)subscription."""

    enterprise_ids: frozenset[str]
    reason: str


@dataclass(frozen=True, slots=True)
class FeedLate:
    """Changes of these enterprises come late, if they come: do not wait for them. Sent again while that lasts."""

    enterprise_ids: frozenset[str]


FeedEvent = RowChange | RowScheduled | RowRetracted | RuleChanged | FeedGap | FeedLate


@dataclass(slots=True)
class FeedStatus:
    """What an adapter has observed, counted from live objects; the adapter alone writes it, and CATCHING_UP not at all:
    whether a gap has been swept is for the consumer to say. `way` is how it hears, for people and for the store.
    """

    way: FeedWay = FeedWay.POSTGRES_CHANGES
    states: dict[str, FeedState] = field(default_factory=dict)
    changes_received: int = 0
    changes_malformed: int = 0
    callbacks_failed: int = 0
    reconnects: int = 0
    last_proof_of_life: datetime | None = None
    last_error: str | None = None


class RowChangeFeed(Protocol):
    """A doorbell. It may miss rings, and says so with FeedGap; nothing past this port knows which doorbell it is."""

    @property
    def status(self) -> FeedStatus:
        """As it is now: to be asked for each time."""
        ...

    def events(self) -> AsyncIterator[FeedEvent]:
        """Changes as they come, for ever; reconnects by itself, and ends only when closed.

        Whoever stops listening may call this again, to go on with what has come since.
        """
        ...

    async def close(self) -> None:
        """Leave all seats; `events` ends."""
        ...


@dataclass(frozen=True, slots=True)
class ScalerTick:
    """The one tick that may act now. `memory` is what the last one left, if any; `now` is the database's clock."""

    version: int
    now: datetime
    memory: Mapping[str, Any] | None


class ScalerMemory(Protocol):
    """What the scaler of a pool remembers, and who of several ticks at once may act.

    Both methods raise StoreUnavailable on a passing fault.
    """

    async def begin_tick(self, pool: str, *, hold_seconds: float) -> ScalerTick | None:
        """Begin a tick, unless another one is under way; None then. It may act for so many seconds."""
        ...

    async def end_tick(self, pool: str, tick: ScalerTick, memory: Mapping[str, Any] | None) -> bool:
        """End it, leaving this for the next one (None: what there was). False if it was overtaken, and left nothing."""
        ...


class PoolUnavailable(Exception):
    """The platform did not say or did not do what was asked; the message is for an operator."""


class PoolChanged(Exception):
    """Somebody else has changed the pool since it was read; nothing was done."""


@dataclass(frozen=True, slots=True)
class PoolCount:
    """How many instances a pool is to have, and the version of the pool that says so."""

    instances: int
    etag: str


class WorkerPool(Protocol):
    """The worker processes, as many as are asked for. Both methods raise PoolUnavailable."""

    async def read(self) -> PoolCount:
        """How many are to run now."""
        ...

    async def set_count(self, count: int, seen: PoolCount) -> None:
        """Have so many run. Raises PoolChanged if the pool is not any more as it was seen."""
        ...


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


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """Entries as Novu told them; they hold personal data."""

    entries: tuple[Mapping[str, Any], ...]
    has_more: bool


class ActivityUnavailable(Exception):
    """Novu did not tell. The message is for an operator and quotes nothing of the answer."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotificationActivity(Protocol):
    """What Novu did with what it took. Every method raises ActivityUnavailable."""

    async def notifications(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        """One entry for each event and subscriber, newest first; `limit` is 1 to 50."""

    async def messages(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        """One entry for each message, newest first; `limit` is 1 to 100."""


class AnswerTooLarge(ActivityUnavailable):
    """A page weighs more than is read at once: ask for fewer entries."""
