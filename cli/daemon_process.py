"""The daemon itself: listener, worker and extra workers, until it is told to stop."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from cli.daemon_launch import is_ready
from cli.daemon_log import keep_small
from cli.daemon_record import DaemonBook, DaemonRecord, StartOptions, record_of_this_process
from cli.dev_banner import banner
from cli.dev_stack import BEFORE_IT_RUNS, dev_stack, enterprises_of, is_wanted, servers_set
from cli.extra_workers import keep_extra_workers
from cli.failure import exit_with_hint
from cli.health_server import HealthPortTaken, LiveComponents, serving
from cli.terminal import say
from cli.trace.command import trace_lines
from listener import bootstrap as listener
from shared.process_exit import EXIT_BAD_SETTINGS, EXIT_FAILED
from shared.process_lifecycle import run_process
from shared.process_usage import ProcessUsage
from shared.settings import DaemonSettings, SettingsError
from shared.supervision import Supervisor
from shared.temporal.joint_client import JointClient
from stack.occupancy import remove
from stack.processes import PartFailed, is_free
from worker import bootstrap as worker

_SETTINGS_HINT = (
    "set them in the environment or in .env (.env.example lists them, docs/configuration.md explains them); "
    "`xnovu daemon start --dev` needs none."
)


READY_IS_LOOKED_FOR_EVERY_SECONDS = 0.2


def run_daemon(book: DaemonBook, options: StartOptions) -> NoReturn:
    """Be the daemon until SIGTERM or Ctrl-C, then drain and exit 0. The book says so for as long as that lasts.

    Raises:
        AlreadyRunning: another daemon of this user lives.
    """
    with ExitStack() as starting:
        starting.enter_context(book.held())
        settings = check_settings(options)
        if options.dev and is_wanted():
            _bring_stack(starting, book, options, settings)
            settings = load_settings(options)
        # Past this point the process ends without unwinding: `_run` leaves what was entered here.
        until_the_end = starting.pop_all()
    run_process("daemon", partial(_run, book=book, options=options, until_the_end=until_the_end), lambda: settings)


async def _run(
    settings: DaemonSettings, stop: asyncio.Event, *, book: DaemonBook, options: StartOptions, until_the_end: ExitStack
) -> None:
    with until_the_end:
        record = record_of_this_process(settings, replace(options, fresh=False), _log_file(book))
        book.write(record)
        if record.log_file is not None:
            keep_small(book)
        live = LiveComponents(settings.listed_enterprise_ids, ProcessUsage(settings.xnovu_build))
        parts, drained = Supervisor(), asyncio.Event()

        async def tell() -> None:
            async with serving(settings, live, parts, partial(trace_lines, settings) if options.dev else None):
                await drained.wait()

        async with asyncio.TaskGroup() as telling:
            telling.create_task(parts.keep("health", tell, passing=(HealthPortTaken,), until=drained))
            async with asyncio.TaskGroup() as tasks:
                temporal = JointClient()
                hear = partial(listener.run, settings, stop, live.reporting, connect=temporal.connect_for("listener"))
                work = partial(worker.run, settings, stop, live.reporting, connect=temporal.connect_for("worker"))
                tasks.create_task(parts.keep("listener", hear, until=stop))
                tasks.create_task(parts.keep("worker", work, until=stop))
                tasks.create_task(keep_extra_workers(options.workers, stop, parts))
                if options.dev and record.log_file is None:
                    show = partial(_show_banner, book, record, stop)
                    tasks.create_task(parts.keep("banner", show, until=stop))
            drained.set()


def _bring_stack(starting: ExitStack, book: DaemonBook, options: StartOptions, settings: DaemonSettings) -> None:
    """Have the local stack run for as long as `starting` lasts. Leaves with a message if it does not start."""
    try:
        if options.fresh:
            remove(book.dev_directory)
        starting.enter_context(
            dev_stack(
                book.dev_directory,
                settings.daemon_enterprise_ids,
                (settings.daemon_health_host, settings.daemon_health_port),
                book.write_environment,
            )
        )
    except PartFailed as error:
        hint = (
            "its own words are above; `xnovu daemon start --dev --fresh` begins anew, without the rows that there are."
        )
        exit_with_hint(f"daemon: {error}", hint, EXIT_FAILED)


async def _show_banner(book: DaemonBook, record: DaemonRecord, stop: asyncio.Event) -> None:
    """On the terminal where the daemon runs, once it is ready."""
    while not stop.is_set() and not await asyncio.to_thread(is_ready, record):
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), READY_IS_LOOKED_FOR_EVERY_SECONDS)
    if not stop.is_set():
        say(banner(book, record))


def check_settings(options: StartOptions, own_port: int | None = None) -> DaemonSettings:
    """As `load_settings`, before a stack of its own has brought the rest."""
    if not (options.dev and is_wanted()):
        return load_settings(options, own_port)
    return load_settings(replace(options, enterprises=enterprises_of(options.enterprises)), own_port, BEFORE_IT_RUNS)


def load_settings(
    options: StartOptions, own_port: int | None = None, others: Mapping[str, Any] = MappingProxyType({})
) -> DaemonSettings:
    """The daemon's settings, checked as far as they can be before it runs. Leaves with a message if they are wrong.

    `own_port` is held by a daemon that is to go before this one comes; `others` win over the environment.
    """
    try:
        settings = DaemonSettings.load(
            daemon_enterprise_ids=options.enterprises,
            daemon_health_port=options.health_port,
            daemon_log_level=options.log_level,
            **others,
        )
    except SettingsError as error:
        exit_with_hint(f"daemon: {error}", _SETTINGS_HINT, EXIT_BAD_SETTINGS)
    if settings.daemon_health_port != own_port and not is_free(settings.daemon_health_port):
        exit_with_hint(
            f"daemon: port {settings.daemon_health_port} is taken by another process.",
            "choose another with --health-port or DAEMON_HEALTH_PORT.",
            EXIT_FAILED,
        )
    return settings


def refuse_servers_beside_dev(options: StartOptions) -> None:
    """Leave with a message if the options ask for a local stack, and the settings name servers to use instead."""
    if options.fresh and not options.dev:
        exit_with_hint("daemon: --fresh is about the local stack of --dev.", "add --dev.", EXIT_BAD_SETTINGS)
    if options.dev and not is_wanted():
        named = servers_set()
        exit_with_hint(
            f"daemon: --dev starts servers of its own, but others are set: {', '.join(named)}.",
            f"unset {' '.join(named)}, here or in .env; or leave out --dev to use them.",
            EXIT_BAD_SETTINGS,
        )


def _log_file(book: DaemonBook) -> Path | None:
    """Where our output goes, if `start` has detached us."""
    try:
        is_ours = os.path.samestat(os.fstat(sys.stdout.fileno()), book.log_file.stat())
    except (OSError, ValueError):
        return None
    return book.log_file if is_ours else None
