"""The daemon itself: listener, worker and extra workers, until it is told to stop."""

import asyncio
import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NoReturn

from cli.daemon_record import DaemonBook, StartOptions, record_of_this_process
from cli.dev_stack import SERVERS, dev_stack, is_wanted
from cli.extra_workers import keep_extra_workers
from cli.failure import exit_with_hint
from cli.health_server import HealthPortTaken, LiveComponents, serving
from listener import bootstrap as listener
from shared.process_lifecycle import EXIT_BAD_SETTINGS, EXIT_FAILED, run_process
from shared.process_usage import ProcessUsage
from shared.settings import DaemonSettings, SettingsError
from shared.supervision import Supervisor
from shared.temporal.joint_client import JointClient
from stack.processes import PartFailed, is_free
from worker import bootstrap as worker

_SETTINGS_HINT = (
    "set them in the environment or in .env (.env.example lists them, docs/configuration.md explains them); "
    "`xnovu daemon start --dev` needs none."
)


def run_daemon(book: DaemonBook, options: StartOptions) -> NoReturn:
    """Be the daemon until SIGTERM or Ctrl-C, then drain and exit 0. The book says so for as long as that lasts.

    Raises:
        AlreadyRunning: another daemon of this user lives.
    """
    with ExitStack() as starting:
        starting.enter_context(book.held())
        if options.dev and is_wanted():
            try:
                starting.enter_context(dev_stack(book.write_environment))
            except PartFailed as error:
                exit_with_hint(f"daemon: {error}", "is it installed? pip install 'xnovu[stack]'", EXIT_FAILED)
        # Past this point the process ends without unwinding: `_run` leaves what was entered here.
        settings = load_settings(options)
        until_the_end = starting.pop_all()
    run_process("daemon", partial(_run, book=book, options=options, until_the_end=until_the_end), lambda: settings)


async def _run(
    settings: DaemonSettings, stop: asyncio.Event, *, book: DaemonBook, options: StartOptions, until_the_end: ExitStack
) -> None:
    with until_the_end:
        book.write(record_of_this_process(settings, options, _log_file(book)))
        live = LiveComponents(settings.daemon_enterprise_ids, ProcessUsage(settings.xnovu_build))
        parts, drained = Supervisor(), asyncio.Event()

        async def tell() -> None:
            async with serving(settings, live, parts):
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
            drained.set()


def load_settings(options: StartOptions, own_port: int | None = None) -> DaemonSettings:
    """The daemon's settings, checked as far as they can be before it runs. Leaves with a message if they are wrong.

    `own_port` is held by a daemon that is to go before this one comes.
    """
    try:
        settings = DaemonSettings.load(
            daemon_enterprise_ids=options.enterprises,
            daemon_health_port=options.health_port,
            daemon_log_level=options.log_level,
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
    if options.dev and not is_wanted():
        named = ", ".join(name for name in SERVERS if os.environ.get(name))
        exit_with_hint(
            f"daemon: --dev starts servers of its own, but others are set: {named}.",
            f"unset {named.replace(',', '')}, here or in .env; or leave out --dev to use them.",
            EXIT_BAD_SETTINGS,
        )


def _log_file(book: DaemonBook) -> Path | None:
    """Where our output goes, if `start` has detached us."""
    try:
        is_ours = os.path.samestat(os.fstat(sys.stdout.fileno()), book.log_file.stat())
    except (OSError, ValueError):
        return None
    return book.log_file if is_ours else None
