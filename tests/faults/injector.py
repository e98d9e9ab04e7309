"""Raises at an await point by way of the interpreter's tracing: the code runs as it is, only this once it fails."""

import sys
from collections.abc import Iterator
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
