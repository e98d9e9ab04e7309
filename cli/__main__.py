"""`xnovu`: one command line for people and programs."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from cli.commands import Commands
from cli.env_file import VARIABLE, read_env_file
from cli.failure import pay_object
from cli.terminal import say
from shared.exception_text import describe, full_text
from shared.process_exit import EXIT_FAILED, leave_at_once

app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


def _say_version(asked: bool) -> None:
    if asked:
        say(f"xnovu {version('xnovu')}")
        raise typer.Exit


@app.callback(help=__doc__)
def xnovu(
    env_file: Annotated[
        Path | None,
        typer.Option(
            envvar=VARIABLE, help="Settings that the environment does not have. Default: .env, if it is here."
        ),
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which release this is.")
    ] = False,
) -> None:
    """What all commands have in common: where their settings come from."""
    read_env_file(env_file)


def main() -> None:
    """The console script's entry point. Typer ends every command by SystemExit, which becomes the process's end."""
    try:
        app()
    except SystemExit as end:
        leave_at_once(end.code if isinstance(end.code, int) else 0)
    except Exception as error:  # noqa: BLE001 - nobody foresaw it; it is told without what it may quote
        pay_object(f"Nobody foresaw this: {describe(error)}", "its trace is on standard error.", EXIT_FAILED)
        say(full_text(error), err=True)
        leave_at_once(EXIT_FAILED)


if __name__ == "__main__":
    main()
