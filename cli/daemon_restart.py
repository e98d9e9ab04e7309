"""`xnovu daemon restart`: stop, and start again as it was started."""

from typing import Annotated

import typer

from cli.daemon_launch import stop
from cli.daemon_process import check_settings, refuse_servers_beside_dev
from cli.daemon_record import DaemonBook, StartOptions
from cli.daemon_start import READY_WITHIN_SECONDS, AsJson, Enterprises, HealthPort, LogLevel, start_detached
from cli.daemon_stop import STOPS_WITHIN_SECONDS, exit_if_it_goes_on


def restart(
    dev: Annotated[bool | None, typer.Option("--dev/--no-dev", help="As for start.")] = None,
    enterprises: Enterprises = None,
    health_port: HealthPort = None,
    log_level: LogLevel = None,
    workers: Annotated[int | None, typer.Option(min=0, max=64, help="As for start.")] = None,
    stop_timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the drain.")] = STOPS_WITHIN_SECONDS,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait until it is ready.")] = READY_WITHIN_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Stop this user's daemon and start it in the background, with the options it had; those given here win.

    Settings come from the environment of this command and are read first: if they are wrong, the daemon goes on as it
    is. Without a running daemon it is a start. Exit codes as for stop and start.
    """
    book = DaemonBook()
    record = book.running()
    before = record.options if record else StartOptions()
    options = StartOptions(
        enterprises=before.enterprises if enterprises is None else enterprises,
        health_port=before.health_port if health_port is None else health_port,
        log_level=before.log_level if log_level is None else log_level,
        workers=before.workers if workers is None else workers,
        dev=before.dev if dev is None else dev,
    )
    refuse_servers_beside_dev(options)
    if record is not None:
        check_settings(options, own_port=record.health_port)
    exit_if_it_goes_on(stop(book, timeout_seconds=stop_timeout), book, record, stop_timeout)
    start_detached(book, options, timeout, as_json)
