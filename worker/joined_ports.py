"""Ports that make one call of what deliveries side by side ask for (see `meeting`); of one alone, as it comes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from postgrest import AsyncPostgrestClient

from shared.ports import NotificationTrigger, StoreAnswerTooLarge, StoreUnavailable, TriggerEvent, TriggerResult
from shared.supabase.sql_function import call_function
from worker.activities.novu_fan_out import EVENTS_PER_ROUND
from worker.meeting import current_meeting

AT_ONCE = 4
"""Calls to Novu of one meeting, and calls to the database of what it did not answer together."""

STATEMENT_TIMEOUT = "57014"

Answer = TypeVar("Answer")
FunctionCall = tuple[str, Mapping[str, Any]]


class JoinedFunctions:
    """Calls SQL functions; several at about the same time in one statement, in which each fails alone."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def __call__(self, function: str, **arguments: Any) -> Any:
        """The answer. Raises as `call_function`."""
        meeting = current_meeting()
        if meeting is None:
            return await call_function(self._client, function, **arguments)
        return await meeting.call("database", (function, arguments), self._call_each)

    async def _call_each(self, calls: Sequence[FunctionCall]) -> Sequence[Any]:
        answers: Sequence[Any] = [None] * len(calls)
        if len(calls) > 1:
            try:
                answers = await call_function(
                    self._client,
                    "call_each",
                    p_calls=[{"function": function, "arguments": arguments} for function, arguments in calls],
                )
            except StoreUnavailable as error:
                if not isinstance(error, StoreAnswerTooLarge) and error.code != STATEMENT_TIMEOUT:
                    raise
        places = asyncio.Semaphore(AT_ONCE)

        async def alone(call: FunctionCall, answer: Any) -> Any:
            """What met a fault, or was too much beside the others, is asked for by itself, to meet it again, or not."""
            if answer is not None:
                return answer
            function, arguments = call
            async with places:
                return await _tried(partial(call_function, self._client, function, **arguments))

        return await asyncio.gather(*map(alone, calls, answers))


class JoinedTrigger:
    """Port NotificationTrigger: events of many enterprises in as few requests as one's would be."""

    def __init__(self, trigger: NotificationTrigger, account: str = "") -> None:
        """`account`: events of different ones never share a request."""
        self._trigger = trigger
        self._account = account

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        meeting = current_meeting()
        if meeting is None:
            return await self._trigger.trigger(events)
        results: list[TriggerResult] = await meeting.call(("trigger", self._account), events, self._trigger_each)
        return results

    async def _trigger_each(self, asked: Sequence[Sequence[TriggerEvent]]) -> Sequence[Any]:
        """Who has few events goes first, and does not wait until all of another's many are answered."""
        places = asyncio.Semaphore(AT_ONCE)
        answers: dict[int, Any] = {}

        async def trigger(together: Sequence[int]) -> None:
            async with places:
                events = [event for place in together for event in asked[place]]
                results = await _tried(partial(self._trigger.trigger, events))
            each = iter([] if isinstance(results, Exception) else results)
            for place in together:
                answers[place] = results if isinstance(results, Exception) else list(islice(each, len(asked[place])))

        by_size = sorted(range(len(asked)), key=lambda place: len(asked[place]))
        await asyncio.gather(*map(trigger, _in_rounds(by_size, [len(events) for events in asked])))
        return [answers[place] for place in range(len(asked))]


def _in_rounds(places: Sequence[int], events: Sequence[int]) -> list[list[int]]:
    """These places in lists, whose events together are no more than a round's."""
    rounds: list[list[int]] = []
    room = 0
    for place in places:
        if events[place] > room:
            rounds.append([])
            room = EVENTS_PER_ROUND
        rounds[-1].append(place)
        room -= events[place]
    return rounds


async def _tried(ask: Callable[[], Awaitable[Answer]]) -> Answer | Exception:
    try:
        return await ask()
    except Exception as error:  # noqa: BLE001 - raised in the one delivery that it is about
        return error
