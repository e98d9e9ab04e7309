"""Which key to Novu an enterprise's requests go with: its own, by the name of a variable, or the deployment's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.notification.recipient import Recipient
from shared.ports import (
    ActivityPage,
    ActivityUnavailable,
    CancelFailed,
    FaultCode,
    NotificationActivity,
    NotificationTrigger,
    OwnSettings,
    PutOff,
    SentNotificationCancelling,
    SubscriberCredentials,
    TakenEvents,
    TriggerEvent,
    TriggerFault,
    TriggerResult,
)
from worker.turns import Turns

LOOK_AGAIN_SECONDS = 30.0
"""Until rows of whose enterprise the key is lacking are looked at again."""


@dataclass(frozen=True, slots=True)
class NovuAccount:
    """One environment of Novu's, as a key opens it. Its rate, its turns and its refusals are nobody else's."""

    trigger: NotificationTrigger
    cancelling: SentNotificationCancelling
    taken: TakenEvents
    credentials: SubscriberCredentials
    activity: NotificationActivity
    turns: Turns


class NovuAccounts:
    """All of them, by the names of their variables. An enterprise whose variable is not set here has none at all: it is
    never sent for with another's key.
    """

    def __init__(
        self, deployments: NovuAccount, named: Mapping[str, NovuAccount], settings: Callable[[str], OwnSettings]
    ) -> None:
        """`named`: by the variables that hold their keys; `settings`: an enterprise's, as they are known now."""
        self._deployments = deployments
        self._named = named
        self._settings = settings
        self._absent: dict[str, NovuAccount] = {}

    def of(self, enterprise_id: str) -> NovuAccount:
        """Whose requests go where. Of a name that is not set here, one that refuses everything for now."""
        name = self._settings(enterprise_id).novu_key_name
        if name is None:
            return self._deployments
        return self._named.get(name) or self._absent.setdefault(name, _absent(name))

    def before(self, enterprise_id: str) -> NovuAccount | None:
        """Where its requests went before that, if they went elsewhere, and that key is still here."""
        before = self._settings(enterprise_id).novu_key_before
        if before is None:
            return None
        return self._named.get(before) if before else self._deployments

    def activity(self, enterprise_id: str) -> NotificationActivity:
        """Where what became of its events is asked for."""
        return self.of(enterprise_id).activity

    def cancelling(self, enterprise_id: str) -> SentNotificationCancelling:
        """Where its events are cancelled: they may have been sent before its key was changed."""
        now, before = self.of(enterprise_id), self.before(enterprise_id)
        return _EitherCancels(now.cancelling, before.cancelling) if before else now.cancelling

    def taken(self, enterprise_id: str) -> TakenEvents:
        """Who knows what became of its events: so may the environment of before its key was changed."""
        now, before = self.of(enterprise_id), self.before(enterprise_id)
        return _EitherHas(now.taken, before.taken) if before else now.taken

    def credentials(self, enterprise_id: str) -> SubscriberCredentials:
        """Where those of its recipients are kept."""
        return self.of(enterprise_id).credentials

    def lacks(self, names: Iterable[str]) -> tuple[str, ...]:
        """Which of these are not set here."""
        return tuple(sorted(set(names) - self._named.keys()))

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        """Port NotificationTrigger, for events of one enterprise a call."""
        return await self.of(events[0].enterprise_id).trigger.trigger(events) if events else []

    def enter(self, enterprise_id: str, rows: int, *, returning: bool) -> PutOff | None:
        """As `Turns.enter`, at the account's."""
        return self.of(enterprise_id).turns.enter(enterprise_id, rows, returning=returning)

    def leave(self, enterprise_id: str, rows: int) -> None:
        """As `Turns.leave`, wherever it has entered: the key may be another by now."""
        for account in (self._deployments, *self._named.values()):
            account.turns.leave(enterprise_id, rows)


@dataclass(frozen=True, slots=True)
class _EitherHas:
    """Port TakenEvents, over two environments. Both are asked, for either may have it."""

    now: TakenEvents
    before: TakenEvents

    async def was_taken(self, transaction_id: str) -> bool | None:
        answers = [await self.now.was_taken(transaction_id), await self.before.was_taken(transaction_id)]
        if True in answers:
            return True
        return None if None in answers else False


@dataclass(frozen=True, slots=True)
class _EitherCancels:
    """Port SentNotificationCancelling, over two environments: one that does not know an event cancels nothing."""

    now: SentNotificationCancelling
    before: SentNotificationCancelling

    async def cancel(self, transaction_id: str) -> bool:
        cancelled = await self.now.cancel(transaction_id)
        return await self.before.cancel(transaction_id) or cancelled


class _NoNovu:
    """Every port to Novu, where there is no key: nothing is asked, and nothing is lost."""

    def __init__(self, fault: TriggerFault) -> None:
        self._fault = fault

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        return [self._fault] * len(events)

    async def cancel(self, transaction_id: str) -> bool:
        raise CancelFailed(self._fault)

    async def was_taken(self, transaction_id: str) -> bool | None:
        return None

    async def give_credentials(self, recipient: Recipient) -> TriggerResult:
        return self._fault

    async def notifications(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        raise ActivityUnavailable(self._fault.reason)

    async def messages(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        raise ActivityUnavailable(self._fault.reason)


def _absent(name: str) -> NovuAccount:
    put_off = PutOff(LOOK_AGAIN_SECONDS, FaultCode.NOVU_KEY_MISSING, f"{name} is not set in this worker")
    nothing = _NoNovu(put_off.fault())
    turns = Turns(lambda: None, lambda: put_off, large_at_once=1)
    return NovuAccount(nothing, nothing, nothing, nothing, nothing, turns)
