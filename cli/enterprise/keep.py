"""`xnovu enterprise keep`: for how long an enterprise's notifications are kept once they have ended."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.enterprise.asking import AsJson, EnterpriseId, answer_of
from cli.terminal import say
from shared.supabase.sql_function import call_function

FOR_GOOD = "forever"
MOST_DAYS = 36_500


def keep(
    enterprise_id: EnterpriseId,
    days: Annotated[str, typer.Argument(metavar="DAYS", help=f"1 to {MOST_DAYS:,}, or {FOR_GOOD}: the default.")],
    as_json: AsJson = False,
) -> None:
    """Say after how many days `xnovu prune` may delete what is SENT, FAILED or RETRACTED. Deletes nothing itself.

    Exit 0, also if it was so already; 2 for what cannot be, for wrong settings, or if the database does not answer.
    """
    if days != FOR_GOOD and not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= MOST_DAYS):
        raise typer.BadParameter(
            f"{days!r} is no number of days. Hint: 1 to {MOST_DAYS:,}, or {FOR_GOOD}.", param_hint="DAYS"
        )
    wanted = None if days == FOR_GOOD else int(days)
    answer: Mapping[str, Any] = answer_of(
        lambda client: call_function(client, "keep_notifications", p_enterprise_id=enterprise_id, p_days=wanted)
    )
    result = "set" if answer["was"] != answer["keep_days"] else "already_set"
    if as_json:
        say(json.dumps({"result": result, **answer}, indent=2))
        return
    kept = FOR_GOOD if wanted is None else f"{wanted} days after they have ended"
    say(f"{enterprise_id}: {result}; notifications are kept {kept}")


def add_to(app: typer.Typer) -> None:
    """The command `keep`."""
    app.command()(keep)
