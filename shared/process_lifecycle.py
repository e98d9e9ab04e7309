"""How every process of ours starts and ends: settings checked whole, signals that drain, an exit code that is true."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

from shared import importing, json_logs, open_files, telemetry
from shared.process_exit import EXIT_BAD_SETTINGS, EXIT_FAILED, EXIT_OK, leave_at_once
from shared.settings import DaemonSettings, Settings, SettingsError
from shared.temporal import runtime

_SIGNALS_THAT_DRAIN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logging.getLogger("DaemonManager")

_COLLECTED_AFTER = (10_000, 20, 50)
"""Objects, and collections of the generations before. Python's own (700, 10, 10) look through all that lives, workflows
in their sandboxes among it, at every burst: a quarter of a second in which nothing else goes on.
"""

SettingsT = TypeVar("SettingsT", bound=Settings)


def run_process(
    name: str, main: Callable[[SettingsT, asyncio.Event], Awaitable[None]], load_settings: Callable[[], SettingsT]
) -> NoReturn:
    """Run `main` until SIGTERM, SIGINT or SIGHUP, and exit: 0 drained, 1 failed, 2 wrong settings.

    `main` works until the event it is given is set, then drains and returns.
    """
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201
        leave_at_once(EXIT_BAD_SETTINGS)
    json_logs.configure(settings.daemon_log_level)
    open_files.allow_as_many_as_possible()
    open_files.log_refused_connections_once_a_minute()
    telemetry.start(f"xnovu-{name}", prometheus=isinstance(settings, DaemonSettings))
    importing.done()
    gc.set_threshold(*_COLLECTED_AFTER)
    try:
        asyncio.run(_run_until_signalled(name, main, settings))
    except BaseException as error:
        if wrong := _wrong_settings(error):
            print(f"{name}: {wrong}", file=sys.stderr)  # noqa: T201
            leave_at_once(EXIT_BAD_SETTINGS)
        log.exception("process_failed", extra={"program": name})
        leave_at_once(EXIT_FAILED)
    leave_at_once(EXIT_OK)


def _wrong_settings(error: BaseException) -> SettingsError | None:
    """The one that ended the process, alone or among what ended with it."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_wrong_settings, error.exceptions)), None)
    return error if isinstance(error, SettingsError) else None


async def _run_until_signalled(
    name: str, main: Callable[[SettingsT, asyncio.Event], Awaitable[None]], settings: SettingsT
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS_THAT_DRAIN:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has it ignored: it goes on then
            loop.add_signal_handler(number, stop.set)
    log.info("process_starting", extra={"program": name, "pid": os.getpid()})
    async with runtime.measured():
        await main(settings, stop)
    json_logs.sum_up_failures()
    log.info("process_stopped", extra={"program": name, "pid": os.getpid()})
