"""Deliveries side by side, of which each is one enterprise's: what they ask of the outside goes out together.

Each delivery is written, and fails, as if it were alone. Where several of them wait for the same kind of call, one call
is made for all. Nobody waits long for the others: who is busy with something else is not waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 0.1
"""For the next one who is not there yet. On a busy machine they come one by one, as they are rendered by turns."""

LONGEST_WAIT_SECONDS = 0.5
"""Of the first who came, however many still come."""

ALONE_AT_ONCE = 8
"""Deliveries that go on by themselves."""

Together = Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]
"""Answers each argument, in order; an answer that is an exception is raised for that one alone."""


_current: ContextVar["Meeting | None"] = ContextVar("meeting", default=None)


async def side_by_side(
    deliveries: Mapping[str, Callable[[], Awaitable[None]]],
    *,
    together: bool = True,
    patience_seconds: float = PATIENCE_SECONDS,
) -> dict[str, Exception]:
    """Run these to their ends, by the names of those they are for; returns what those raised that failed.

    Unless they run `together`, nothing of theirs meets, and few run at once. Cancelling cancels all.
    """
    if together and len(deliveries) > 1:
        one = Meeting(len(deliveries), patience_seconds)
        token = _current.set(one)
        try:
            return await _all_ends({name: one.attend(deliver) for name, deliver in deliveries.items()})
        finally:
            _current.reset(token)
            await one.close()
    places = asyncio.Semaphore(ALONE_AT_ONCE)

    async def alone(deliver: Callable[[], Awaitable[None]]) -> None:
        async with places:
            await deliver()

    return await _all_ends({name: alone(deliver) for name, deliver in deliveries.items()})


def current_meeting() -> "Meeting | None":
    """The meeting that this delivery takes part in, if it does."""
    return _current.get()


@dataclass(slots=True)
class _Call:
    together: Together
    arguments: list[Any] = field(default_factory=list)
    answers: list[asyncio.Future[Any]] = field(default_factory=list)


class Meeting:
    """Where the calls of so many parties are gathered. One use per object."""

    def __init__(self, parties: int, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._parties = parties
        self._waiting = 0
        self._first_came = self._last_came = 0.0
        self._calls: dict[Hashable, _Call] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def attend(self, deliver: Callable[[], Awaitable[None]]) -> None:
        """One of the parties: from its end on it is no more waited for."""
        try:
            await deliver()
        finally:
            self._parties -= 1
            self._go_if_all_wait()

    async def call(self, kind: Hashable, argument: Any, together: Together) -> Any:
        """The answer to `argument`, from one call for all that ask for this kind now."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        call = self._calls.setdefault(kind, _Call(together))
        call.arguments.append(argument)
        call.answers.append(answer)
        self._last_came = loop.time()
        if not self._waiting:
            self._first_came = self._last_came
        self._waiting += 1
        self._go_if_all_wait()
        return await answer

    async def close(self) -> None:
        """Give up what is under way."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _go_if_all_wait(self) -> None:
        if not self._waiting:
            return
        if self._waiting >= self._parties:
            self._go()
        elif self._timer is None:
            self._look_again(self._patience_seconds)

    def _look_again(self, in_seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(in_seconds, self._go_unless_more_come)

    def _go_unless_more_come(self) -> None:
        now = asyncio.get_running_loop().time()
        patience = min(self._last_came + self._patience_seconds, self._first_came + LONGEST_WAIT_SECONDS) - now
        if patience > 0:
            self._look_again(patience)
        else:
            self._go()

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        calls, self._calls, self._waiting = self._calls, {}, 0
        for call in calls.values():
            task = asyncio.create_task(_make(call))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)


async def _all_ends(deliveries: Mapping[str, Awaitable[None]]) -> dict[str, Exception]:
    ends = await asyncio.gather(*deliveries.values(), return_exceptions=True)
    failures: dict[str, Exception] = {}
    for name, end in zip(deliveries, ends, strict=True):
        if isinstance(end, Exception):
            failures[name] = end
        elif end is not None:
            raise end
    return failures


async def _make(call: _Call) -> None:
    try:
        results = await call.together(call.arguments)
        if len(results) != len(call.arguments):
            raise RuntimeError(f"{len(call.arguments)} asked together, and {len(results)} were answered")
    except asyncio.CancelledError:
        for answer in call.answers:
            answer.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - raised where it is waited for
        results = [error] * len(call.arguments)
    for answer, result in zip(call.answers, results, strict=True):
        if answer.done():
            continue  # whoever asked has been cancelled
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)
