"""Worker processes beside the daemon's own worker, for more cores: started with it, restarted when they die."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial

from shared.backoff import Backoff
from shared.supervision import Supervisor
from stack.processes import bound_command

log = logging.getLogger("DaemonManager")

STOPS_WITHIN_SECONDS = 15.0
"""A worker leaves within ten seconds of SIGTERM."""


async def keep_extra_workers(count: int, stop: asyncio.Event, parts: Supervisor) -> None:
    """Keep `count` processes `python -m worker` until `stop` is set, then have them drain."""
    async with asyncio.TaskGroup() as workers:
        for number in range(1, count + 1):
            workers.create_task(parts.keep("extra worker", partial(_keep, number, stop), until=stop))


async def _keep(number: int, stop: asyncio.Event) -> None:
    backoff = Backoff(1.0, cap_seconds=30.0)
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        # Bound to us: when we are killed, it drains and ends by itself. A session of its own, because Ctrl-C is for us.
        process = await asyncio.create_subprocess_exec(
            *bound_command([sys.executable, "-m", "worker"], signal.SIGTERM), env=_environment(), start_new_session=True
        )
        log.info("extra_worker_started", extra={"number": number, "pid": process.pid})
        ending = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:  # whatever ends the waiting: a process that nobody keeps would be one too many
            if process.returncode is None:
                await _stop(process)
        if not stop.is_set():
            seconds = backoff.next_seconds(at_least=0.0)
            log.warning(
                "extra_worker_ended",
                extra={"number": number, "code": process.returncode, "restart_in_seconds": seconds},
            )
            await asyncio.wait({stopping}, timeout=seconds)


def _environment() -> dict[str, str]:
    """Ours, without the port on which a worker in a container answers probes: there are several here."""
    return {name: value for name, value in os.environ.items() if name != "PROBE_PORT"}


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOPS_WITHIN_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
