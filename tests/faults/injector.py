"""Raises at an await point by way of the interpreter's tracing: the code runs as it is, only this once it fails."""

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tests.faults.await_points import PROJECT, AwaitPoint

CANARY = "@".join(["ada", "foreign.example"])
"""What a foreign exception quotes, and nobody may. Tracebacks show lines of our source: none has it in one piece."""


class Foreign(Exception):
    """Known to nobody in our code. `point` is where it came from."""

    def __init__(self, text: str = CANARY, point: AwaitPoint | None = None) -> None:
        super().__init__(text)
        self.point = point


def points_of(errors: Iterable[BaseException | None]) -> set[AwaitPoint]:
    """Of all the exceptions in these: one that comes while another takes its way out is told of with it."""
    points, seen, waiting = set(), set(), list(errors)
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        if isinstance(error, Foreign) and error.point is not None:
            points.add(error.point)
        waiting.append(error.__context__)
        waiting.extend(error.exceptions if isinstance(error, BaseExceptionGroup) else ())
    return points


class Injection:
    """`has_fired` once the point was reached. `was_left`: an `async with` was, by an exception of its own (a time-out,
    a cancellation), in the place of which no other can come.
    """

    def __init__(self, point: AwaitPoint) -> None:
        self.point = point
        self.has_fired = False
        self.was_left = False
        self._file = str(PROJECT / point.file)

    def on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        """The trace function: called as each frame is entered, and as each coroutine goes on."""
        code = frame.f_code
        if self.has_fired or code.co_qualname != self.point.function or code.co_filename != self._file:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._on_instruction

    def _on_instruction(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event != "opcode" or self.has_fired:
            return self._on_instruction
        if self.point.kind == "async with, out" and frame.f_lasti in self.point.leaving:
            self.was_left = True
        if frame.f_lasti in self.point.offsets:
            self.has_fired = True
            raise Foreign(CANARY)
        return self._on_instruction


@contextmanager
def raising_once_at(point: AwaitPoint) -> Iterator[Injection]:
    """The first time within the block that this thread comes to the point, it meets an exception there."""
    injection = Injection(point)
    before = sys.gettrace()
    sys.settrace(injection.on_call)
    try:
        yield injection
    finally:
        sys.settrace(before)


@contextmanager
def noting_points(points: Iterable[AwaitPoint]) -> Iterator[set[AwaitPoint]]:
    """Those of these points to which this thread comes within the block, where nothing is raised."""
    reached: set[AwaitPoint] = set()

    def note(point: AwaitPoint, at: int) -> None:
        reached.add(point)

    with _tracing(points, note):
        yield reached


@contextmanager
def raising_once_at_each(points: Iterable[AwaitPoint]) -> Iterator[set[AwaitPoint]]:
    """Each of these points meets an exception the first time that this thread comes to it within the block. For code
    that is run again: each run comes one await further. The set is of those that have met theirs.
    """
    fired: set[AwaitPoint] = set()

    def fire(point: AwaitPoint, at: int) -> None:
        if at in point.offsets and point not in fired:
            fired.add(point)
            # What a trace function raises ends the tracing.
            asyncio.get_running_loop().call_soon(sys.settrace, sys.gettrace())
            raise Foreign(point=point)

    with _tracing(points, fire):
        yield fired


@contextmanager
def _tracing(points: Iterable[AwaitPoint], on_point: Callable[[AwaitPoint, int], None]) -> Iterator[None]:
    """Call `on_point` with each of these points that is come to, and the offset of the instruction."""
    by_place: dict[tuple[str, str], list[AwaitPoint]] = {}
    for point in points:
        by_place.setdefault((str(PROJECT / point.file), point.function), []).append(point)

    files = {file for file, _ in by_place}

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code  # of each call that is made at all
        if code.co_filename not in files or (code.co_filename, code.co_qualname) not in by_place:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return on_instruction

    def on_instruction(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            for point in by_place[frame.f_code.co_filename, frame.f_code.co_qualname]:
                if frame.f_lasti in point.offsets | point.leaving:
                    on_point(point, frame.f_lasti)
        return on_instruction

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(before)
