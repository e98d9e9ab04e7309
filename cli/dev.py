"""`xnovu dev`: what `xnovu daemon start --dev` keeps on this machine."""

import shutil
import sys
from typing import Annotated

import typer

from cli.daemon_record import AlreadyRunning, DaemonBook
from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint
from cli.state_directory import StateDirectoryRefused
from cli.terminal import say
from shared.process_exit import EXIT_FAILED
from stack.occupancy import remove
from stack.processes import PartFailed

app = typer.Typer(no_args_is_help=True, help="What `xnovu daemon start --dev` keeps on this machine.")


@app.callback()
def dev() -> None:
    """The local stack's data."""


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the local stack's data, ports and keys: the next `xnovu daemon start --dev` begins anew.

    Exit 0 when they are gone, or there were none; 1 if a daemon runs, or nobody wanted it; 2 if nobody can be asked.
    """
    book = DaemonBook()
    try:
        with book.held():
            if not book.dev_directory.exists():
                say(f"There is nothing in {book.dev_directory}.")
                return
            _ask(book, yes)
            remove(book.dev_directory)
    except AlreadyRunning:
        exit_with_hint("A daemon of this user runs.", "xnovu daemon stop ends it.", EXIT_FAILED)
    except StateDirectoryRefused as refused:
        exit_with_hint(str(refused), refused.hint, EXIT_FAILED)
    except (PartFailed, shutil.Error, OSError) as error:
        exit_with_hint(f"Not removed: {error}", f"remove {book.dev_directory} yourself.", EXIT_FAILED)
    say(f"{book.dev_directory} is removed.")


def _ask(book: DaemonBook, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        exit_with_hint("Nothing was removed: nobody can be asked.", "--yes does it without asking.", EXIT_NOTHING_KNOWN)
    if not typer.confirm(f"Remove {book.dev_directory}, with all rows of the local stack?"):
        say("Nothing was removed.")
        raise typer.Exit(EXIT_FAILED)
