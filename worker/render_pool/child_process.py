"""The parent's end of one child process."""

import asyncio
import json
import os
import signal
import sys
from enum import StrEnum
from typing import Any, Final, Self

import psutil

from worker.render_pool.wire import HEADER

_START_SECONDS: Final = 30.0
_BUSY_SHARE: Final = 0.8
"""Part of the deadline, in processor time, that makes an item guilty. A starved machine's wall clock proves nothing."""
_FIRST_LOOK_SHARE: Final = 0.9
"""Part of the deadline after which the child is looked at: the refusal is to be there when the deadline passes."""
_LOOK_AGAIN_SECONDS: Final = 0.1
_HARD_DEADLINES: Final = 15
"""Deadlines on the wall clock after which even a child that got no processor time is given up."""


class RenderPoolUnavailable(Exception):
    """No child process can be had, or the pool is closed: a passing fault, worth trying again."""


class Loss(StrEnum):
    """How a child was lost. Only TIME is surely its item's doing; CRASH may be what earlier items left behind."""

    TIME = "time"
    CRASH = "crash"
    OUTSIDE = "outside"


class ChildLost(Exception):
    """The child is gone or no longer of use."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss)
        self.loss = loss


_LOSS_BY_STATUS: Final = {
    -signal.SIGPROF: Loss.TIME,
    -signal.SIGKILL: Loss.OUTSIDE,
    0: Loss.OUTSIDE,
}
"""By exit status; any other is a crash. The child's own limits never end it by these signals but SIGPROF."""


class ChildProcess:
    """A started child; frames go in, answers come out in order."""

    def __init__(self, process: asyncio.subprocess.Process, deadline_seconds: float) -> None:
        assert process.stdin is not None, "standard input is a pipe"
        assert process.stdout is not None, "standard output is a pipe"
        self._process = process
        self._sink = process.stdin
        self._source = process.stdout
        self._deadline_seconds = deadline_seconds
        self._length: int | None = None
        self._processor_seconds = 0.0
        self.lacking: list[str] = []
        """What of its confinement this machine does not offer (`Confinement`)."""
        self.last_item_seconds = 0.0
        """Processor time that the last answered item has taken, its templates' reading included."""

    @classmethod
    async def start(cls, *, deadline_seconds: float, memory_bytes: int) -> Self:
        """A child that has loaded everything and waits for frames. Raises RenderPoolUnavailable."""
        creation = asyncio.ensure_future(cls._create(deadline_seconds, memory_bytes))
        try:
            child = await asyncio.shield(creation)
        except asyncio.CancelledError:
            # Half a process cannot be waited for: let it be whole first.
            await (await creation).kill()
            raise
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = await child._receive()
                child._take_usage(ready)
                child.lacking = ready["lacking"]
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            await child.kill()
            raise RenderPoolUnavailable("the rendering process did not start") from None
        except asyncio.CancelledError:
            await child.kill()
            raise
        return child

    @classmethod
    async def _create(cls, deadline_seconds: float, memory_bytes: int) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "worker.render_pool.child",
            str(memory_bytes),
            str(2 * deadline_seconds),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Hostile templates run there: it gets the parent's import path, and none of its secrets.
            env={"PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"},
        )
        return cls(process, deadline_seconds)

    @property
    def process_id(self) -> int:
        return self._process.pid

    def send(self, frame: bytes) -> None:
        """Queue a frame. Not drained: the child may be writing an answer that nobody reads while we wait."""
        self._sink.write(frame)

    async def answer(self) -> dict[str, Any]:
        """The answer to the oldest unanswered item. Raises ChildLost."""
        clock = asyncio.get_running_loop().time
        began = clock()
        patience = _FIRST_LOOK_SHARE * self._deadline_seconds
        while True:
            try:
                async with asyncio.timeout(patience):
                    answer = await self._receive()
                self._take_usage(answer)
                return answer
            except TimeoutError:
                if self._used_seconds() >= _BUSY_SHARE * self._deadline_seconds:
                    raise ChildLost(Loss.TIME) from None
                if clock() - began > _HARD_DEADLINES * self._deadline_seconds:
                    raise ChildLost(Loss.OUTSIDE) from None
                patience = _LOOK_AGAIN_SECONDS
            except (asyncio.IncompleteReadError, ConnectionError):
                # It has closed its output, and a process does that only by ending.
                raise ChildLost(_LOSS_BY_STATUS.get(await self._process.wait(), Loss.CRASH)) from None

    async def kill(self) -> None:
        """End the process and wait until it is gone."""
        self._sink.close()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _receive(self) -> dict[str, Any]:
        # Each read takes all it wants or nothing, so a timeout between the two loses no byte.
        if self._length is None:
            (self._length,) = HEADER.unpack(await self._source.readexactly(HEADER.size))
        body = await self._source.readexactly(self._length or 0)
        self._length = None
        return json.loads(body)  # type: ignore[no-any-return]

    def _take_usage(self, message: dict[str, Any]) -> None:
        self.last_item_seconds = message["processor_seconds"] - self._processor_seconds
        self._processor_seconds = message["processor_seconds"]

    def _used_seconds(self) -> float:
        """Processor time the child has spent since its last answer."""
        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system) - self._processor_seconds
