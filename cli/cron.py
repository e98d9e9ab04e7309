"""`xnovu cron next`: when an expression fires, before anybody writes it into a rule."""

from itertools import islice
from typing import Annotated

import typer

from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint
from cli.firings import MOST_FIRINGS, print_firings, read_instant
from shared.cron import CronExpression, CronRefused, CronSchedule, load_zone

app = typer.Typer(no_args_is_help=True, help="Cron expressions (docs/cron.md).")


@app.callback()
def cron() -> None:
    """Look into cron expressions."""


@app.command("next")
def next_firings(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help='In quotes: "0 9 * * MON", or 6 fields.')],
    timezone: Annotated[str, typer.Option(help="IANA name, such as Europe/Berlin.")] = "UTC",
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=MOST_FIRINGS, help="How many firings.")] = 10,
    from_instant: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help="RFC 3339; firings come after it. Default: now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects with local, utc, note.")] = False,
) -> None:
    """Print the coming firings in local time and UTC, and what daylight saving does to them."""
    after = read_instant(from_instant, "--from")
    try:
        schedule = CronSchedule(CronExpression.parse(expression), load_zone(timezone))
        firings = list(islice(schedule.after(after), count))
    except CronRefused as refused:
        exit_with_hint(
            refused.message, f"{refused.code}; the accepted language is in docs/cron.md.", EXIT_NOTHING_KNOWN
        )
    except ValueError as out_of_bounds:
        exit_with_hint(f"--from: {out_of_bounds}.", "choose another instant.", EXIT_NOTHING_KNOWN)
    print_firings(firings, as_json=as_json)
