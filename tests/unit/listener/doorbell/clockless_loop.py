"""An event loop on which time passes at once: what waits for seconds is tried in milliseconds, in the same order."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class _Selector(selectors.DefaultSelector):
    """Never waits: what it would have waited is added to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class _ClocklessLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._hurried = _Selector()
        super().__init__(self._hurried)

    def time(self) -> float:
        return self._hurried.now


def run_without_waiting(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """The result of `main`, on a loop of its own whose clock begins at 0."""
    with asyncio.Runner(loop_factory=_ClocklessLoop) as runner:
        return runner.run(main)
