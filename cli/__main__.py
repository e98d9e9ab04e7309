"""`xnovu`: one command line for people and programs."""

import typer

from cli import cron, daemon, demo, doctor, replay, rule, send, tail, trace
from shared.process_lifecycle import leave_at_once

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(cron.app, name="cron")
app.add_typer(daemon.app, name="daemon")
app.add_typer(doctor.app, name="doctor")
app.add_typer(rule.app, name="rule")
app.command("demo")(demo.demo)
app.command("send")(send.send)
app.command("trace")(trace.trace)
app.command("replay")(replay.replay)
app.command("tail")(tail.tail)


def main() -> None:
    """The console script's entry point. Typer ends every command by SystemExit, which becomes the process's end."""
    try:
        app()
    except SystemExit as end:
        leave_at_once(end.code if isinstance(end.code, int) else 0)


if __name__ == "__main__":
    main()
