"""`xnovu daemon`: XNovu on this machine."""

import typer

from cli.daemon_health import health
from cli.daemon_restart import restart
from cli.daemon_start import start
from cli.daemon_status import status
from cli.daemon_stop import stop_daemon

app = typer.Typer(no_args_is_help=True, help="Run XNovu on this machine, and see how it fares.")
app.command("start")(start)
app.command("status")(status)
app.command("health")(health)
app.command("stop")(stop_daemon)
app.command("restart")(restart)
