"""`xnovu daemon`: XNovu on this machine."""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperGroup

from cli.failure import exit_with_hint
from cli.state_directory import StateDirectoryRefused
from shared.process_exit import EXIT_FAILED


class DaemonCommands(TyperGroup):
    """Each by its name, and loaded when it is asked for: what asks or stops a daemon loads nothing of what runs one."""

    functions: ClassVar = {
        "start": "start",
        "status": "status",
        "health": "health",
        "logs": "logs",
        "stop": "stop_daemon",
        "restart": "restart",
    }
    """By the command's name the function's, in `cli.daemon_<name>`."""

    def __init__(self, **options: Any) -> None:
        """Typer looks in `commands` for what was meant by a name that there is not."""
        super().__init__(**options)
        self.commands = dict.fromkeys(self.functions, cast(Any, None))

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them."""
        return list(self.functions)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; None if there is none of this name."""
        if cmd_name not in self.functions:
            return None
        function = getattr(import_module(f"cli.daemon_{cmd_name}"), self.functions[cmd_name])
        alone = typer.Typer()
        alone.command(cmd_name)(_if_the_state_is_ours(function))
        return typer.main.get_command(alone)


app = typer.Typer(cls=DaemonCommands, no_args_is_help=True, help="Run XNovu on this machine, and see how it fares.")


def _if_the_state_is_ours(command: Callable[..., None]) -> Callable[..., None]:
    """Says so if the state directory is not ours."""

    @wraps(command)
    def named(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except StateDirectoryRefused as refused:
            exit_with_hint(str(refused), refused.hint, EXIT_FAILED)

    return named
