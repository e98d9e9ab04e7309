"""Whose requests go with which key: nobody's ever with another's."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from shared.notification.recipient import Recipient
from shared.ports import (
    ActivityPage,
    ActivityUnavailable,
    CancelFailed,
    FaultCode,
    OwnSettings,
    PutOff,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerResult,
)
from worker.joined_ports import JoinedTrigger
from worker.meeting import side_by_side
from worker.novu_accounts import NovuAccount, NovuAccounts
from worker.turns import Turns

ADA = Recipient("ada", {})
ACME_KEY, OTHER_KEY = "NOVU_SECRET_KEY__ACME", "NOVU_SECRET_KEY__OTHER"


@dataclass
class Novu:
    """Every port to one environment of Novu's."""

    has: frozenset[str] = frozenset()
    answers: bool = True
    asked: list[str] = field(default_factory=list)
    requests: list[list[str]] = field(default_factory=list)

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        self.requests.append([event.enterprise_id for event in events])
        self.asked += [f"trigger {event.enterprise_id}" for event in events]
        return [TriggerAccepted() if self.answers else TriggerFault("HTTP 401") for _ in events]

    async def cancel(self, transaction_id: str) -> bool:
        self.asked.append(f"cancel {transaction_id}")
        return transaction_id in self.has

    async def was_taken(self, transaction_id: str) -> bool | None:
        self.asked.append(f"taken {transaction_id}")
        return transaction_id in self.has if self.answers else None

    async def give_credentials(self, recipient: Recipient) -> TriggerResult:
        self.asked.append(f"credentials {recipient.subscriber_id}")
        return TriggerAccepted()

    async def notifications(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        self.asked.append("notifications")
        return ActivityPage((), False)

    messages = notifications


def account(novu: Novu, *, name: str = "", closed: PutOff | None = None) -> NovuAccount:
    turns = Turns(lambda: None, lambda: closed, large_at_once=1)
    return NovuAccount(JoinedTrigger(novu, name), novu, novu, novu, novu, turns)


def event(enterprise_id: str, number: int = 1) -> TriggerEvent:
    return TriggerEvent("order", ("ada",), {}, {}, f"xnovu.{enterprise_id}.{number}", enterprise_id)


async def ask_everything(accounts: NovuAccounts, enterprise_id: str) -> None:
    await accounts.trigger([event(enterprise_id)])
    await accounts.cancelling(enterprise_id).cancel("t")
    await accounts.taken(enterprise_id).was_taken("t")
    await accounts.credentials(enterprise_id).give_credentials(ADA)
    await accounts.activity(enterprise_id).notifications(["t"], 0, 1)


EVERYTHING = ["cancel t", "taken t", "credentials ada", "notifications"]


async def test_everything_of_an_enterprise_goes_with_its_own_key_and_of_others_with_the_deployment_s() -> None:
    deployments, acme = Novu(), Novu()
    settings = {"acme": OwnSettings(novu_key_name=ACME_KEY)}
    accounts = NovuAccounts(
        account(deployments), {ACME_KEY: account(acme)}, lambda each: settings.get(each, OwnSettings())
    )

    for enterprise_id in ("acme", "globex"):
        await ask_everything(accounts, enterprise_id)

    assert acme.asked == ["trigger acme", *EVERYTHING]
    assert deployments.asked == ["trigger globex", *EVERYTHING]
    settings["acme"] = OwnSettings()
    await accounts.trigger([event("acme")])
    assert deployments.asked[-1] == "trigger acme", "as soon as it is known"


async def test_a_key_that_is_not_set_holds_up_its_enterprise_alone_and_is_named() -> None:
    deployments = Novu()
    accounts = NovuAccounts(
        account(deployments),
        {},
        lambda each: OwnSettings(novu_key_name=ACME_KEY) if each == "acme" else OwnSettings(),
    )

    [fault] = await accounts.trigger([event("acme")])
    put_off = accounts.enter("acme", 1, returning=False)

    assert isinstance(fault, TriggerFault)
    assert fault.code is FaultCode.NOVU_KEY_MISSING
    assert fault.reason == f"{ACME_KEY} is not set in this worker"
    assert put_off is not None
    assert put_off.fault() == fault
    assert await accounts.taken("acme").was_taken("t") is None
    assert await accounts.credentials("acme").give_credentials(ADA) == fault
    with pytest.raises(CancelFailed, match=ACME_KEY):
        await accounts.cancelling("acme").cancel("t")
    for ask in (accounts.activity("acme").notifications, accounts.activity("acme").messages):
        with pytest.raises(ActivityUnavailable, match=ACME_KEY):
            await ask(["t"], 0, 1)
    assert deployments.asked == []
    assert accounts.enter("globex", 1, returning=False) is None
    assert accounts.lacks([ACME_KEY]) == (ACME_KEY,)


async def test_what_novu_refuses_one_key_holds_up_nobody_else() -> None:
    unpaid = PutOff(60.0, FaultCode.NOVU_PAYMENT_REQUIRED, "unpaid")
    accounts = NovuAccounts(
        account(Novu()),
        {ACME_KEY: account(Novu(answers=False), closed=unpaid)},
        lambda each: OwnSettings(novu_key_name=ACME_KEY) if each == "acme" else OwnSettings(),
    )

    assert accounts.enter("acme", 1, returning=False) is unpaid
    assert accounts.enter("globex", 1, returning=False) is None
    accounts.leave("globex", 1)
    assert await accounts.trigger([event("acme")]) == [TriggerFault("HTTP 401")]
    assert await accounts.trigger([event("globex")]) == [TriggerAccepted()]


async def test_batch_mates_with_different_keys_share_no_request() -> None:
    deployments, acme, other = Novu(), Novu(), Novu()
    keys = {"acme": ACME_KEY, "acme2": ACME_KEY, "other": OTHER_KEY}
    named = {ACME_KEY: account(acme, name=ACME_KEY), OTHER_KEY: account(other, name=OTHER_KEY)}
    accounts = NovuAccounts(account(deployments), named, lambda each: OwnSettings(novu_key_name=keys.get(each)))

    async def deliver(enterprise_id: str) -> None:
        assert await accounts.trigger([event(enterprise_id)]) == [TriggerAccepted()]

    enterprises = [*keys, "globex", "initech"]
    faults = await side_by_side({each: lambda each=each: deliver(each) for each in enterprises})  # type: ignore[misc]

    assert faults == {}
    assert [sorted(request) for request in acme.requests] == [["acme", "acme2"]]
    assert other.requests == [["other"]]
    assert [sorted(request) for request in deployments.requests] == [["globex", "initech"]]


@pytest.mark.parametrize(
    ("now", "before", "taken"),
    [
        (Novu(), Novu(frozenset({"t"})), True),
        (Novu(frozenset({"t"})), Novu(), True),
        (Novu(), Novu(), False),
        (Novu(answers=False), Novu(frozenset({"t"})), True),
        (Novu(), Novu(answers=False), None),
    ],
)
async def test_what_was_sent_before_the_key_was_changed_is_asked_about_there_too(
    now: Novu, before: Novu, taken: bool | None
) -> None:
    accounts = NovuAccounts(
        account(before),
        {ACME_KEY: account(now)},
        lambda _: OwnSettings(novu_key_name=ACME_KEY, novu_key_before=""),
    )

    assert await accounts.taken("acme").was_taken("t") is taken
    assert await accounts.cancelling("acme").cancel("t") is bool(now.has | before.has)
    await accounts.trigger([event("acme")])
    assert now.asked == ["taken t", "cancel t", "trigger acme"]
    assert before.asked == ["taken t", "cancel t"]


async def test_a_former_key_that_is_not_set_any_more_is_not_waited_for() -> None:
    deployments = Novu()
    accounts = NovuAccounts(account(deployments), {}, lambda _: OwnSettings(novu_key_before=ACME_KEY))

    assert await accounts.taken("acme").was_taken("t") is False
    assert await accounts.cancelling("acme").cancel("t") is False
    assert deployments.asked == ["taken t", "cancel t"]
