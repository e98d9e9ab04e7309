"""`xnovu prune`: what ended longer ago than its enterprise keeps it is deleted, a portion at a time."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from postgrest import AsyncPostgrestClient

from cli.aligned import aligned
from cli.asking import ask
from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint, failures_named
from cli.supabase_session import supabase_session
from cli.terminal import say, say_line
from shared.settings import SupabaseSettings, is_enterprise_id
from shared.supabase.sql_function import call_function

EXIT_LEFT = 1

ROWS_AT_ONCE = 1000
"""In one transaction: some tens of milliseconds, and nobody is waited for."""


@dataclass(slots=True)
class Pruned:
    """Rows by enterprise; `refused` tells a SQLSTATE by id."""

    keep_days: dict[str, int]
    rows: Counter[str] = field(default_factory=Counter)
    refused: dict[str, str] = field(default_factory=dict)


def prune(
    enterprise: Annotated[
        list[str] | None, typer.Option(help="Only this one's; repeat it for more. Else of all that have a rule.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object (docs/retention.md).")] = False,
) -> None:
    """Delete notifications that are SENT, FAILED or RETRACTED for longer than `xnovu enterprise keep` says.

    Whoever has no such rule keeps everything. What goes with a notification goes with it. Safe to repeat and to
    interrupt.
    Exit 0 also if there was nothing; 1 rows that the project refuses to let go, or nobody wanted it; 2 usage, settings,
    no database.
    """
    for each in enterprise or []:
        if not is_enterprise_id(each):
            exit_with_hint(
                f"--enterprise {each}: no enterprise's id.",
                "1-64 of letters, digits, '_', '-', '.'.",
                EXIT_NOTHING_KNOWN,
            )
    with failures_named():
        settings = SupabaseSettings.load()
        found = asyncio.run(_pass(settings, enterprise or None, dry_run=True))
        if not dry_run and found.rows:
            if not as_json and not yes:
                _show(found, dry_run=True, as_json=False)
            ask(f"Delete {found.rows.total():,} notifications for good?", yes=yes, as_json=as_json)
            found = asyncio.run(_pass(settings, enterprise or None, dry_run=False))
    _show(found, dry_run=dry_run, as_json=as_json)
    if found.refused:
        raise typer.Exit(EXIT_LEFT)


async def _pass(settings: SupabaseSettings, enterprise_ids: list[str] | None, *, dry_run: bool) -> Pruned:
    async with supabase_session(settings) as client:
        found = Pruned(await call_function(client, "keep_rules", p_enterprise_ids=enterprise_ids))
        after: dict[str, Any] = {"p_after_at": None, "p_after_id": None} if found.keep_days else {}
        while after:
            after = await _portion(client, enterprise_ids, after, found, dry_run=dry_run)
        return found


async def _portion(
    client: AsyncPostgrestClient,
    enterprise_ids: list[str] | None,
    after: dict[str, Any],
    found: Pruned,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """Where the next one begins; nothing, if this was the last."""
    answer = await call_function(
        client,
        "prune_notifications",
        p_enterprise_ids=enterprise_ids,
        **after,
        p_limit=ROWS_AT_ONCE,
        p_dry_run=dry_run,
    )
    found.rows.update(answer["pruned"])
    found.refused |= answer["refused"]
    return {"p_after_at": answer["through_at"], "p_after_id": answer["through_id"]} if answer["has_more"] else {}


def _show(found: Pruned, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        enterprises = [
            {"enterprise_id": each, "keep_days": days, "rows": found.rows[each]}
            for each, days in sorted(found.keep_days.items())
        ]
        say(json.dumps({"dry_run": dry_run, "enterprises": enterprises, "refused": found.refused}, indent=2))
        return
    if not found.keep_days:
        say("Nobody has a rule, so everything is kept: xnovu enterprise keep ENTERPRISE_ID DAYS makes one.")
        return
    rows = [(each, str(days), str(found.rows[each])) for each, days in sorted(found.keep_days.items())]
    for line in aligned([("enterprise", "kept days", "would go" if dry_run else "deleted"), *rows]):
        say_line(line)
    for each, state in found.refused.items():
        say_line(f"{each} stays: a constraint or trigger of the project refuses that it goes ({state}).")
    if dry_run:
        say("Nothing was changed.")
