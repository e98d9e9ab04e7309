"""Builders and small fakes of the ports: a test states only what matters to it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from shared.notification.models import Channel, ClaimedBatch, Notification, NovuWorkflow, Template, WorkflowType
from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode
from shared.notification.recipient import KnownRecipients, Recipient
from shared.ports import HeldClaim, TriggerAccepted, TriggerEvent, TriggerResult
from worker.activities.addressing import Addressing
from worker.activities.doubt import DoubtRules, Doubts
from worker.rendering.renderer import RenderedContent
from worker.rendering.request import RenderDelayed, RenderRequest, RenderResult

Port = TypeVar("Port")

STATIC = NovuWorkflow(key="welcome", type=WorkflowType.STATIC)
DYNAMIC = NovuWorkflow(key="receipt", type=WorkflowType.DYNAMIC, template_references={Channel.EMAIL: "receipt-email"})


def a_notification(notification_id: int = 42, **fields: Any) -> Notification:
    defaults: dict[str, Any] = {
        "workflow": STATIC,
        "recipients": ("ada",),
        "payload": {"name": "Ada"},
        "transaction_base": f"xnovu.{notification_id}",
    }
    return Notification(id=notification_id, **{**defaults, **fields})


def recipients(count: int) -> tuple[str, ...]:
    return tuple(f"subscriber-{number}" for number in range(count))


class FakeStore:
    """Holds rows in memory with the claim's rules; refuses what is not the owner's."""

    def __init__(self, *rows: Notification, templates: Sequence[Template] = ()) -> None:
        self.rows = {row.id: row for row in rows}
        self.templates = {template.key: template for template in templates}
        self.recorded: dict[int, Outcome] = {}
        self.renewed: list[dict[int, int]] = []
        self.leases: list[int] = []
        self.lost: set[int] = set()
        self.faults: dict[int, tuple[str, int]] = {}
        self.claims_at_most = 100
        self.unreadable: list[Failed] = []
        self.template_places = 100
        self.claimed: list[list[int]] = []
        self.refusing: set[int] = set()
        self.unclaimable: set[int] = set()
        self.known: KnownRecipients | None = KnownRecipients()
        self.unanswered: set[int] = set()
        self.put_off: dict[int, float] = {}
        self.held: list[HeldClaim] = []

    async def claim(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        claim_owner: str,
        lease_seconds: int,
        uncalled: bool = False,
    ) -> ClaimedBatch:
        held = [
            self.rows[key]
            for key in notification_ids
            if key in self.rows and key not in self.recorded.keys() | self.put_off.keys() | self.unclaimable
        ]
        deferred = tuple(row.id for row in held[self.claims_at_most :])
        self.claimed.append(list(notification_ids))
        self.leases.append(lease_seconds)
        won = held[: self.claims_at_most]
        if not uncalled:
            won = [replace(row, doubt_seconds=0.0) if row.id in self.unanswered else row for row in won]
        self.unanswered.update(row.id for row in won)
        return ClaimedBatch(
            tuple(won),
            dict(list(self.templates.items())[: self.template_places]),
            deferred,
            tuple(each for each in self.unreadable if each.notification_id in notification_ids),
            refused=tuple(
                Failed(key, Refusal(RefusalCode.CLAIM_REFUSED, "refused", {"sqlstate": "23514"}))
                for key in notification_ids
                if key in self.unclaimable
            ),
            templates_withheld=self.template_places < len(self.templates),
            recipients=self.known,
        )

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> Mapping[int, Outcome]:
        fresh = {
            outcome.notification_id: outcome
            for outcome in outcomes
            if outcome.notification_id not in self.recorded and outcome.notification_id not in self.lost
        }
        for key in fresh.keys() & self.refusing:
            fresh[key] = Failed(key, Refusal(RefusalCode.OUTCOME_REFUSED, "refused", {"sqlstate": "23514"}))
        self.recorded |= fresh
        return fresh

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        self.renewed.append(dict(chunks_sent))
        self.leases.append(lease_seconds)
        return frozenset(chunks_sent) - self.lost

    async def hold_claims(
        self, enterprise_id: str, *, claim_owner: str, rows: Sequence[HeldClaim], lease_seconds: int
    ) -> frozenset[int]:
        self.leases.append(lease_seconds)
        ours = [row for row in rows if row.notification_id not in self.lost | self.recorded.keys()]
        for row in ours:
            self.held.append(row)
            if row.answered:
                self.unanswered.discard(row.notification_id)
            if row.put_off_seconds is not None:
                self.put_off[row.notification_id] = row.put_off_seconds
            claimed = self.rows.get(row.notification_id)
            if claimed is not None:
                self.rows[row.notification_id] = replace(
                    claimed,
                    chunks_sent=max(claimed.chunks_sent, row.chunks_sent),
                    chunks_beyond=frozenset(row.chunks_beyond) or claimed.chunks_beyond,
                    doubt_seconds=0.0 if row.in_doubt else claimed.doubt_seconds,
                    doubtful_repeats=claimed.doubtful_repeats + row.repeated,
                    idempotency_round=claimed.idempotency_round + row.refused,
                )
        return frozenset(row.notification_id for row in ours)

    async def note_faults(
        self, enterprise_id: str, *, claim_owner: str, notification_ids: Collection[int], code: str
    ) -> Mapping[int, int]:
        for notification_id in notification_ids:
            earlier = self.faults.get(notification_id, (code, 0))
            self.faults[notification_id] = (code, earlier[1] + 1 if earlier[0] == code else 1)
        return {notification_id: self.faults[notification_id][1] for notification_id in notification_ids}


class FakeTrigger:
    """Answers by rule and records every call."""

    def __init__(self, answer: Any = None) -> None:
        self._answer = answer or (lambda event: TriggerAccepted())
        self.calls: list[list[TriggerEvent]] = []

    @property
    def events(self) -> list[TriggerEvent]:
        return [event for call in self.calls for event in call]

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        self.calls.append(list(events))
        return [self._answer(event) for event in events]


class FakeTaken:
    """Novu's account: what it has processed, of ids that it was asked about; None is no answer."""

    def __init__(self, *taken: str, answers: bool = True) -> None:
        self.taken = set(taken)
        self.asked: list[str] = []
        self._answers = answers

    async def was_taken(self, transaction_id: str) -> bool | None:
        self.asked.append(transaction_id)
        return transaction_id in self.taken if self._answers else None


class FakeRecipients:
    """What is known of subscribers, by enterprise, and what was noted of their credentials."""

    def __init__(self, *known: Recipient) -> None:
        self._known = {each.subscriber_id: each for each in known}
        self.asked: list[str] = []
        self.kept: dict[str, tuple[str, str | None]] = {}

    async def find(self, enterprise_id: str, subscriber_ids: Iterable[str]) -> KnownRecipients:
        self.asked += subscriber_ids
        return KnownRecipients({key: self._known[key] for key in self.asked if key in self._known})

    async def note_kept(self, enterprise_id: str, kept: Mapping[str, tuple[str, str | None]]) -> None:
        self.kept |= kept


class FakeCredentials:
    """Takes credentials, or answers by subscriber id; records whose they were."""

    def __init__(self, answers: Mapping[str, TriggerResult] | None = None) -> None:
        self.answers = dict(answers or {})
        self.given: list[str] = []

    async def give_credentials(self, recipient: Recipient) -> TriggerResult:
        self.given.append(recipient.subscriber_id)
        return self.answers.get(recipient.subscriber_id, TriggerAccepted())


def same(port: Port) -> Callable[[str], Port]:
    """The same for every enterprise."""
    return lambda _: port


def an_addressing(recipients: FakeRecipients | None = None, credentials: FakeCredentials | None = None) -> Addressing:
    return Addressing(recipients or FakeRecipients(), same(credentials or FakeCredentials()))


def doubts(taken: FakeTaken | None = None, *, wait_seconds: float = 0.0, idempotent: bool = False) -> Doubts:
    return Doubts(same(taken or FakeTaken()), DoubtRules(wait_seconds, idempotent))


class FakeRenderer:
    """Renders every channel to one text, refuses, or puts off those whose payload has a member `costly`."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        self._refusal = refusal

    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]:
        return [self._refusal or self._content(request) for request in requests]

    def _content(self, request: RenderRequest) -> RenderResult:
        if seconds := request.payload.get("costly"):
            return RenderDelayed(seconds)
        return dict.fromkeys(request.channels, RenderedContent(subject="Hello", body="Hello Ada"))
