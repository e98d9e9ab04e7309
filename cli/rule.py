"""`xnovu rule list | show | next`: the rules in the database; when one fires, or why it does not."""

import asyncio
from itertools import islice
from typing import Annotated

import typer

from cli.failure import failures_named
from cli.files.kinds import Kind
from cli.files.listing import add_list_and_show
from cli.firings import MOST_FIRINGS, print_firings, read_instant
from cli.rule_row import RuleRow, read_rule
from cli.supabase_session import supabase_session
from cli.terminal import say_line
from shared.cron import CronExpression, CronSchedule, load_zone
from shared.notification.models import LARGEST_ID
from shared.settings import SupabaseSettings
from worker.scheduling.rule_decision import zone_of

EXIT_DOES_NOT_FIRE = 1

app = typer.Typer(no_args_is_help=True, help="Rules in the database (docs/scheduling.md).")


add_list_and_show(app, Kind.RULE)


@app.command("next")
def next_firings(
    rule_id: Annotated[
        int, typer.Argument(min=1, max=LARGEST_ID, metavar="RULE_ID", help="The rule's id in ent_notification_rule.")
    ],
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=MOST_FIRINGS, help="How many firings.")] = 10,
    from_instant: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help="RFC 3339; firings come after it. Default: now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects with local, utc, note.")] = False,
) -> None:
    """Print a rule's coming firings, or why it does not fire.

    Exit 0 printed, 1 it does not fire (the reasons are on stderr), 2 nothing is known: usage, settings, no database.
    """
    after = read_instant(from_instant, "--from")
    with failures_named():
        found = asyncio.run(_read(SupabaseSettings.load(), rule_id))
    hindrances = ["there is no such rule"] if found is None else list(found.hindrances())
    if found is None or hindrances:
        for hindrance in hindrances:
            say_line(f"Rule {rule_id} does not fire: {hindrance}", err=True)
        raise typer.Exit(EXIT_DOES_NOT_FIRE)
    try:
        firings = list(islice(_schedule(found).after(after), count))
    except ValueError as out_of_bounds:
        raise typer.BadParameter(f"{out_of_bounds}. Hint: choose another instant.", param_hint="--from") from None
    print_firings(firings, as_json=as_json)


async def _read(settings: SupabaseSettings, rule_id: int) -> RuleRow | None:
    async with supabase_session(settings) as client:
        return await read_rule(client, rule_id)


def _schedule(found: RuleRow) -> CronSchedule:
    """When it fires; its `trigger_config` has passed the scheduler's own reading."""
    config = found.trigger_config
    return CronSchedule(CronExpression.parse(config["cron"]), load_zone(zone_of(config, found.time_zone)))
