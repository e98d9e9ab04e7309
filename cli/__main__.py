"""`xnovu`: one command line for people and programs."""

import typer

from cli.commands import Commands
from cli.terminal import say
from shared.exception_text import full_text
from shared.process_lifecycle import EXIT_FAILED, leave_at_once

app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback(help=__doc__)
def xnovu() -> None:
    """What all commands have in common: nothing."""


def main() -> None:
    """The console script's entry point. Typer ends every command by SystemExit, which becomes the process's end."""
    try:
        app()
    except SystemExit as end:
        leave_at_once(end.code if isinstance(end.code, int) else 0)
    except Exception as error:  # noqa: BLE001 - nobody foresaw it; it is told without what it may quote
        say(full_text(error), err=True)
        leave_at_once(EXIT_FAILED)


if __name__ == "__main__":
    main()
