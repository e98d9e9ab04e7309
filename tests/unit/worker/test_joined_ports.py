"""What deliveries ask of the database and of Novu at about the same time is one call, and answered to each."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from postgrest.exceptions import APIError

from shared.bounded_answers import AnswerTooLarge
from shared.ports import StoreUnavailable, TriggerAccepted, TriggerEvent, TriggerResult
from tests.unit.worker.builders import FakeTrigger
from worker.activities.novu_fan_out import EVENTS_PER_ROUND
from worker.joined_ports import JoinedFunctions, JoinedTrigger
from worker.meeting import side_by_side


class FakeDatabase:
    """The client's `rpc`: answers a function with its arguments, `call_each` with those of each, and null for `bad`."""

    def __init__(self, fails: BaseException | None = None, *, alone_fails: BaseException | None = None) -> None:
        self.calls: list[str] = []
        self._fails = fails
        self._alone_fails = alone_fails

    def rpc(self, function: str, arguments: dict[str, Any]) -> "FakeDatabase":
        self.calls.append(function)
        self._asked = (function, arguments)
        return self

    async def execute(self) -> Any:
        function, arguments = self._asked
        if function != "call_each":
            if self._alone_fails and arguments["whose"] == "bad":
                raise self._alone_fails
            return _Response(f"{function} of {arguments['whose']}")
        if self._fails:
            raise self._fails
        return _Response(
            [
                None if call["arguments"]["whose"] == "bad" else f"{call['function']} of {call['arguments']['whose']}"
                for call in arguments["p_calls"]
            ]
        )


class _Response:
    def __init__(self, data: Any) -> None:
        self.data = data


async def ask_all(database: FakeDatabase, *enterprises: str) -> tuple[dict[str, Any], dict[str, Exception]]:
    client: Any = database
    call, answers = JoinedFunctions(client), dict[str, Any]()

    async def ask(whose: str) -> None:
        answers[whose] = await call("claim_batch", whose=whose)

    return answers, await side_by_side({whose: partial(ask, whose) for whose in enterprises})


async def test_calls_of_many_are_one() -> None:
    database = FakeDatabase()

    answers, failures = await ask_all(database, "acme", "clay")

    assert (answers, failures) == ({"acme": "claim_batch of acme", "clay": "claim_batch of clay"}, {})
    assert database.calls == ["call_each"]


async def test_a_call_of_one_is_made_as_it_is() -> None:
    database = FakeDatabase()

    assert await ask_all(database, "acme") == ({"acme": "claim_batch of acme"}, {})
    assert database.calls == ["claim_batch"]


async def test_a_call_that_met_a_fault_is_made_again_by_itself_and_fails_alone() -> None:
    database = FakeDatabase(alone_fails=APIError({"code": "55P03", "message": "locked"}))

    answers, failures = await ask_all(database, "acme", "bad", "clay")

    assert answers == {"acme": "claim_batch of acme", "clay": "claim_batch of clay"}
    assert {whose: type(failure) for whose, failure in failures.items()} == {"bad": StoreUnavailable}
    assert database.calls == ["call_each", "claim_batch"]


@pytest.mark.parametrize(
    "too_much",
    [AnswerTooLarge("the answer is larger than 16 bytes"), APIError({"code": "57014", "message": "too slow"})],
)
async def test_what_is_too_much_together_is_asked_for_one_by_one(too_much: BaseException) -> None:
    database = FakeDatabase(too_much)

    answers, failures = await ask_all(database, "acme", "bad")

    assert (answers, failures) == ({"acme": "claim_batch of acme", "bad": "claim_batch of bad"}, {})
    assert database.calls == ["call_each", "claim_batch", "claim_batch"]


async def test_a_database_that_is_away_is_not_asked_for_each() -> None:
    database = FakeDatabase(APIError({"code": "57P03", "message": "starting up"}))

    answers, failures = await ask_all(database, "acme", "clay")

    assert (answers, set(failures)) == ({}, {"acme", "clay"})
    assert database.calls == ["call_each"]


def events_of(enterprise_id: str, count: int) -> list[TriggerEvent]:
    return [
        TriggerEvent("welcome", ("ada",), {}, {}, f"xnovu.{enterprise_id}.{n}", enterprise_id) for n in range(count)
    ]


async def trigger_all(
    trigger: FakeTrigger, counts: dict[str, int]
) -> tuple[dict[str, Sequence[TriggerResult]], dict[str, Exception]]:
    joined, answers = JoinedTrigger(trigger), dict[str, Sequence[TriggerResult]]()

    async def send(whose: str) -> None:
        answers[whose] = await joined.trigger(events_of(whose, counts[whose]))

    return answers, await side_by_side({whose: partial(send, whose) for whose in counts})


async def test_events_of_many_share_a_call_and_those_of_one_with_many_hold_up_none() -> None:
    trigger = FakeTrigger()

    answers, _ = await trigger_all(trigger, {"flood": EVENTS_PER_ROUND, "acme": 1, "clay": 2})

    assert [[event.enterprise_id for event in call] for call in trigger.calls] == [
        ["acme", "clay", "clay"],
        ["flood"] * EVENTS_PER_ROUND,
    ]
    assert {whose: len(results) for whose, results in answers.items()} == {
        "flood": EVENTS_PER_ROUND,
        "acme": 1,
        "clay": 2,
    }


async def test_each_gets_the_answers_to_its_own_events() -> None:
    refused = RuntimeError("no answer of ours")
    trigger = FakeTrigger(lambda event: refused if event.enterprise_id == "bad" else TriggerAccepted())

    answers, _ = await trigger_all(trigger, {"acme": 2, "bad": 1, "clay": 1})

    assert answers == {"acme": [TriggerAccepted()] * 2, "bad": [refused], "clay": [TriggerAccepted()]}


async def test_a_call_that_fails_fails_those_whose_events_were_in_it() -> None:
    def answer(event: TriggerEvent) -> TriggerResult:
        if event.enterprise_id == "bad":
            raise ConnectionError
        return TriggerAccepted()

    answers, failures = await trigger_all(FakeTrigger(answer), {"acme": 1, "bad": EVENTS_PER_ROUND, "clay": 1})

    assert set(answers) == {"acme", "clay"}
    assert {whose: type(failure) for whose, failure in failures.items()} == {"bad": ConnectionError}
