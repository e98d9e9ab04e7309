"""`xnovu workflow list | show`: the workflows in the database."""

import typer

from cli.files.kinds import Kind
from cli.files.listing import add_list_and_show

app = typer.Typer(no_args_is_help=True, help="Workflows in the database (docs/files.md).")

add_list_and_show(app, Kind.WORKFLOW)
