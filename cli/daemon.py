"""`xnovu daemon`: XNovu on this machine."""

from collections.abc import Callable
from functools import wraps

import typer

from cli.daemon_health import health
from cli.daemon_restart import restart
from cli.daemon_start import start
from cli.daemon_status import status
from cli.daemon_stop import stop_daemon
from cli.failure import exit_with_hint
from cli.state_directory import StateDirectoryRefused
from shared.process_lifecycle import EXIT_FAILED

app = typer.Typer(no_args_is_help=True, help="Run XNovu on this machine, and see how it fares.")


def _add(name: str, command: Callable[..., None]) -> None:
    """As a command that says so if the state directory is not ours."""

    @wraps(command)
    def named(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except StateDirectoryRefused as refused:
            exit_with_hint(str(refused), refused.hint, EXIT_FAILED)

    app.command(name)(named)


_add("start", start)
_add("status", status)
_add("health", health)
_add("stop", stop_daemon)
_add("restart", restart)
