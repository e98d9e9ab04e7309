"""`xnovu daemon`: XNovu on this machine."""

import typer

from cli.daemon_start import start
from cli.daemon_status import status

app = typer.Typer(no_args_is_help=True, help="Run XNovu on this machine, and see how it fares.")
app.command("start")(start)
app.command("status")(status)
