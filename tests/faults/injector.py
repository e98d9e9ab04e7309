"""Raises at an await point by way of the interpreter's tracing: the code runs as it is, only this once it fails."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tests.faults.await_points import PROJECT, AwaitPoint

CANARY = "@".join(["ada", "foreign.example"])
"""What a foreign exception quotes, and nobody may. Tracebacks show lines of our source: none has it in one piece."""


class Foreign(Exception):
    """Known to nobody in our code."""


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
    by_place: dict[tuple[str, str], list[AwaitPoint]] = {}
    for point in points:
        by_place.setdefault((str(PROJECT / point.file), point.function), []).append(point)
    reached: set[AwaitPoint] = set()

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        here = by_place.get((frame.f_code.co_filename, frame.f_code.co_qualname))
        if here is None:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False

        def on_instruction(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "opcode":
                reached.update(point for point in here if frame.f_lasti in point.offsets | point.leaving)
            return on_instruction

        return on_instruction

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield reached
    finally:
        sys.settrace(before)
