"""Keeps the parts of a process alive: one that meets what nobody foresaw is told of, counted and run again.

A part is an async callable that works for ever, or until the process is told to stop. What it foresees it handles
itself; what reaches the supervisor is a defect, ours or a library's, and is not to end the other parts. Two things
still end the process: a wrong setting, which no repetition mends, and the end itself.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.backoff import Backoff
from shared.health.observations import FailingPart
from shared.settings import SettingsError
from shared.telemetry.metric import Kind, Metric, counter

log = logging.getLogger("Supervisor")

FIRST_BACKOFF_SECONDS = 0.5
STEADY_SECONDS = 15.0
"""The longest pause before a restart, and for how long a part has to run before it is trusted again."""

PART_FAULTS = Metric(
    "xnovu.part.faults",
    Kind.COUNTER,
    "{fault}",
    "Exceptions that nobody foresaw, by the part of the process that met them. It went on, or was run again.",
    ("xnovu.part", "error.type"),
)
METRICS = (PART_FAULTS,)

_faults = counter(PART_FAULTS)

Part = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Trouble:
    """One part, or one of several with the same name, since it last ran well."""

    part: str
    last_fault: str
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    faults: int = 0
    runs_since: float | None = None
    """None while it does not run."""


class Supervisor:
    """Of one process, or of one component in it. What it keeps may be kept by others in turn: faults are told where
    they are survived, once.
    """

    def __init__(
        self,
        *,
        first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
        steady_seconds: float = STEADY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_backoff_seconds = first_backoff_seconds
        self._steady_seconds = steady_seconds
        self._clock = clock
        self._troubles: dict[object, _Trouble] = {}

    def failing(self) -> tuple[FailingPart, ...]:
        """The parts that met a fault and have not run for long enough since; several of one name are one."""
        self._forget_recovered()
        by_name: dict[str, list[_Trouble]] = {}
        for trouble in self._troubles.values():
            by_name.setdefault(trouble.part, []).append(trouble)
        return tuple(_merge(name, troubles) for name, troubles in sorted(by_name.items()))

    async def keep(
        self,
        part: str,
        run: Part,
        *,
        afresh: Callable[[], None] = lambda: None,
        on_fault: Callable[[], None] = lambda: None,
        passing: tuple[type[Exception], ...] = (),
        until: asyncio.Event | None = None,
    ) -> None:
        """Run the part until it returns, and again whenever it raises what nobody foresaw, after a pause that grows.

        `part` is its name for people, one for all of a kind. `on_fault` is called at each fault, `afresh` before each
        restart: there a part has looked after what its predecessor left undone. `passing` are exceptions that concern
        the caller. Once `until` is set there is no restart.

        Raises:
            SettingsError: the part needs settings that it does not have.
        """
        backoff = Backoff(self._first_backoff_seconds, cap_seconds=self._steady_seconds, clock=self._clock)
        key = object()
        passes: tuple[type[Exception], ...] = (SettingsError, *passing)
        restarting = False
        try:
            while True:
                backoff.works()
                self._runs(key)
                try:
                    if restarting:
                        afresh()
                    return await self._run(part, run, passes)
                except Exception as error:
                    if _holds(error, passes):
                        raise
                    pause = backoff.next_seconds()
                    self._fails(key, part, error, restart_in_seconds=round(pause, 3))
                restarting = True
                on_fault()
                if await _is_set_within(until, pause):
                    return None
        finally:
            self._runs(key)  # nobody waits for it any more

    async def attempt(self, part: str, run: Part) -> None:
        """Run it once. A fault that nobody foresaw is told of and counted; what follows is done all the same."""
        try:
            await self._run(part, run, (SettingsError,))
        except Exception as error:
            if _holds(error, (SettingsError,)):
                raise
            self.note(part, error)

    def note(self, part: str, error: BaseException) -> None:
        """The part has met what nobody foresaw, and goes on by itself."""
        self._fails(part, part, error)
        self._runs(part)

    async def _run(self, part: str, run: Part, passes: tuple[type[Exception], ...]) -> None:
        """In a task of its own: whatever a part raises on its way out, and whatever cancellations it leaves pending (as
        a TaskGroup of Python 3.11 does when a member fails), a cancellation of ours is one and any other is none.
        What it raises while it is cancelled is told of, unless it `passes`.
        """
        task = asyncio.ensure_future(run())
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            error = None if task.cancelled() else task.exception()
            if error is not None and not _holds(error, passes):
                self.note(part, error)
            raise
        if task.cancelled():
            raise RuntimeError("cancelled, and not by its supervisor")
        task.result()

    def _fails(self, key: object, part: str, error: BaseException, **more: float) -> None:
        self._forget_recovered()
        kind = _kind(error)
        trouble = self._troubles.setdefault(key, _Trouble(part, kind))
        trouble.faults += 1
        trouble.last_fault = kind
        trouble.runs_since = None
        _faults.add(1, {"xnovu.part": part, "error.type": kind})
        said = {"part": part, "error": kind, "faults": trouble.faults, **more}
        log.error("part_failed", exc_info=error, extra=said)  # the formatter tells places, and no foreign texts

    def _runs(self, key: object) -> None:
        if trouble := self._troubles.get(key):
            trouble.runs_since = self._clock()

    def _forget_recovered(self) -> None:
        now = self._clock()
        recovered = [
            key
            for key, trouble in self._troubles.items()
            if trouble.runs_since is not None and now - trouble.runs_since >= self._steady_seconds
        ]
        for key in recovered:
            trouble = self._troubles.pop(key)
            log.info("part_recovered", extra={"part": trouble.part, "faults": trouble.faults})


def _merge(part: str, troubles: list[_Trouble]) -> FailingPart:
    return FailingPart(
        part=part,
        faults=sum(trouble.faults for trouble in troubles),
        failing_since=min(trouble.since for trouble in troubles),
        last_fault=troubles[-1].last_fault,
        running=all(trouble.runs_since is not None for trouble in troubles),
    )


def _kind(error: BaseException) -> str:
    """Its class; of a group, that of its first member."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _holds(error: BaseException, kinds: tuple[type[Exception], ...]) -> bool:
    return isinstance(error, kinds) or (isinstance(error, ExceptionGroup) and error.subgroup(kinds) is not None)


async def _is_set_within(event: asyncio.Event | None, seconds: float) -> bool:
    if event is None:
        await asyncio.sleep(seconds)
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
