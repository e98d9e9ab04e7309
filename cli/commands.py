"""Finds a command's module when the command is asked for: a container that runs one loads no other."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from cli.terminal import owe_object, say

STACK_MISSING = "{name} needs the local stack, which is not installed here: pip install 'xnovu[stack]'"

_OF_THE_STACK = ("daemon", "demo")


class Commands(TyperGroup):
    """Every command by its name, which is its module's in `cli` as well: what that calls `app`, or a function."""

    names: ClassVar = (
        "cron",
        "daemon",
        "demo",
        "deploy",
        "doctor",
        "function",
        "listener",
        "novu",
        "recipient",
        "replay",
        "rule",
        "send",
        "tail",
        "template",
        "trace",
        "worker",
    )

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typed; whether --json was among it, the way a command fails depends on."""
        owe_object("--json" in args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """Those that this installation can run: an image has no local stack."""
        return [name for name in self.names if _load(name) is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; None if there is none of this name. One that needs what is not installed says so and exits."""
        if cmd_name not in self.names:
            return None
        command = _load(cmd_name)
        if command is None:
            say(STACK_MISSING.format(name=cmd_name), err=True)
            raise typer.Exit(1)
        return command


def _load(name: str) -> Any:
    """The command of this name; None if it needs the stack, and there is none."""
    if name in _OF_THE_STACK and find_spec("stack") is None:
        return None
    module = import_module(f"cli.{name}")
    # As part of a whole: by itself it would have what only a program has, such as completion for shells.
    whole = typer.Typer()
    if app := getattr(module, "app", None):
        whole.add_typer(app, name=name)
    else:
        whole.command(name)(getattr(module, name))
    return typer.main.get_group(whole).commands[name]
