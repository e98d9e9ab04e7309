"""Counting outcomes and Novu's answers."""

from collections.abc import Sequence

from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode, Sent
from shared.ports import TriggerAccepted, TriggerEvent, TriggerFault, TriggerRefused, TriggerResult
from worker.delivery_account import AccountedTrigger, DeliveryAccount

EXPIRED = Refusal(RefusalCode.EXPIRED, "too late")


def test_outcomes_are_counted_by_code() -> None:
    account = DeliveryAccount()
    outcomes: list[Outcome] = [Sent(1, "a"), Sent(2, "b"), Failed(3, EXPIRED), Failed(4, EXPIRED)]

    account.note_recorded(outcomes)

    assert (account.sent, account.failed) == (2, {"expired": 2})


def test_novu_fails_from_the_first_call_with_nothing_but_faults_until_any_answer() -> None:
    account = DeliveryAccount()

    account.note_answers([TriggerAccepted(), TriggerFault("HTTP 500")])
    partly = account.novu()
    account.note_answers([TriggerFault("HTTP 503")])
    failing = account.novu()
    account.note_answers([TriggerFault("HTTP 503")])
    still = account.novu()
    account.note_answers([TriggerRefused("unknown workflow")])
    answered = account.novu()

    assert partly.failing_since is None
    assert failing.failing_since is not None
    assert still.failing_since == failing.failing_since
    assert answered.failing_since is None, "a refusal is an answer"
    assert (answered.accepted, answered.refused, answered.faults) == (1, 1, 3)
    assert answered.last_fault == "HTTP 503"


def test_what_was_never_sent_says_nothing_of_novu() -> None:
    account = DeliveryAccount()
    account.note_answers([TriggerFault("HTTP 503")])
    failing = account.novu()

    account.note_answers([TriggerRefused("payload too large", RefusalCode.PAYLOAD_TOO_LARGE)])
    account.note_answers([])

    assert account.novu() == failing


async def test_a_trigger_passes_on_what_it_counts() -> None:
    class Trigger:
        async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
            return [TriggerAccepted() for _ in events]

    account = DeliveryAccount()

    results = await AccountedTrigger(Trigger(), account).trigger([TriggerEvent("key", ("someone",), {}, {}, "id")])

    assert results == [TriggerAccepted()]
    assert account.novu().accepted == 1
