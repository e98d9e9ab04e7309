"""`xnovu daemon start`: listener and worker in one process, for one machine."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

import typer

from cli.daemon_launch import Launch, Outcome, launch
from cli.daemon_process import check_settings, refuse_servers_beside_dev, run_daemon
from cli.daemon_record import AlreadyRunning, DaemonBook, StartOptions
from cli.dev_banner import banner
from cli.terminal import say
from shared.process_exit import EXIT_BAD_SETTINGS, EXIT_FAILED

READY_WITHIN_SECONDS = 60.0


def _names_some(value: str | None) -> str | None:
    if value is not None and not value.replace(",", "").strip():
        raise typer.BadParameter(f"{value!r} names none. Hint: a list such as ent1,ent2, or * for whoever comes.")
    return value


Enterprises = Annotated[
    str | None,
    typer.Option(help="Comma-separated enterprise ids; wins over DAEMON_ENTERPRISE_IDS.", callback=_names_some),
]
HealthPort = Annotated[int | None, typer.Option(min=1, max=65535, help="Wins over DAEMON_HEALTH_PORT.")]
LogLevel = Annotated[Literal["debug", "info", "warn", "error"] | None, typer.Option(help="Wins over DAEMON_LOG_LEVEL.")]
AsJson = Annotated[bool, typer.Option("--json", help="One object: result, pid, health_port, log_file, ...")]


def start(
    dev: Annotated[bool, typer.Option("--dev", help="With a local stack of its own; no server may be set.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="With --dev: without the data of the last one.")] = False,
    enterprises: Enterprises = None,
    health_port: HealthPort = None,
    log_level: LogLevel = None,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Additional worker processes, for more cores.")] = 0,
    foreground: Annotated[
        bool | None,
        typer.Option("--foreground/--detach", help="Stay, or go to the background. Default: stay on a terminal only."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Detached: seconds to wait until it is ready.")
    ] = READY_WITHIN_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Run XNovu on this machine: on a terminal until Ctrl-C, elsewhere in the background until `xnovu daemon stop`.

    Exit 0 when it is ready, or ran already; 1 if it did not start or is not ready in time; 2 for wrong settings.
    """
    options = StartOptions(enterprises, health_port, log_level, workers, dev, fresh)
    refuse_servers_beside_dev(options)
    book = DaemonBook()
    if foreground is None:
        foreground = sys.stdin.isatty() and sys.stdout.isatty()
    if not foreground:
        start_detached(book, options, timeout, as_json)
    try:
        run_daemon(book, options)
    except AlreadyRunning:
        say_launched(Launch(Outcome.ALREADY_RUNNING, book.running()), as_json, timeout)


def start_detached(book: DaemonBook, options: StartOptions, timeout: float, as_json: bool) -> NoReturn:
    """Check what can be checked here, where it is read; then launch, and leave with what became of it."""
    if book.running() is None:
        check_settings(options)
    say_launched(launch(book, options, timeout_seconds=timeout), as_json, timeout)


def say_launched(launched: Launch, as_json: bool, timeout: float) -> NoReturn:
    """Print the result, and leave with its exit code."""
    if as_json:
        say(json.dumps(_object(launched), indent=2))
    _say(launched, as_json, timeout)
    if launched.outcome is Outcome.FAILED and launched.exit_code == EXIT_BAD_SETTINGS:
        raise typer.Exit(EXIT_BAD_SETTINGS)
    raise typer.Exit(EXIT_FAILED if launched.outcome in (Outcome.FAILED, Outcome.TIMEOUT) else 0)


def _object(launched: Launch) -> Mapping[str, Any]:
    record = launched.record
    return {
        "result": launched.outcome,
        "pid": record and record.pid,
        "health_port": record and record.health_port,
        "log_file": record and record.log_file,
        "exit_code": launched.exit_code,
    }


def _say(launched: Launch, as_json: bool, timeout: float) -> None:
    """The result for people, and trouble for everybody."""
    record = launched.record
    match launched.outcome:
        case Outcome.FAILED:
            say(f"The daemon ended with code {launched.exit_code}. The end of its log:", err=True)
            say(f"{launched.last_words}\nHint: xnovu doctor tries everything it needs.", err=True)
        case Outcome.TIMEOUT:
            say(f"The daemon is not ready within {timeout:g} s. The end of its log:", err=True)
            hint = "it goes on trying; xnovu doctor says what is amiss, xnovu daemon stop ends it."
            say(f"{launched.last_words}\nHint: {hint}", err=True)
        case outcome if not as_json:
            where = f" (process {record.pid}, health on port {record.health_port})" if record else ""
            say(f"{outcome}{where}")
            if record and record.log_file:
                say(f"log: {record.log_file}")
            if record and record.options.dev:
                say(banner(DaemonBook(), record))
