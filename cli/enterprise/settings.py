"""`xnovu enterprise show | set`: what an enterprise has of its own, beside whether it is served."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.enterprise.asking import AsJson, EnterpriseId, answer_of
from cli.failure import exit_with_hint
from cli.terminal import say
from shared.cron import CronRefused, load_zone
from shared.novu.answers import KEY_NAME
from shared.settings import NAMED_NOVU_KEY
from shared.supabase.sql_function import call_function

EXIT_NOT_THERE = 1

DEFAULT = "default"
"""What takes a setting back."""

_NAMES = {
    "time_zone": "time zone of rules that name none",
    "rate_per_second": "events a second",
    "novu_key_name": "key to Novu, in the variable",
}
_DEFAULTS = {"time_zone": "UTC", "rate_per_second": "no bound of its own", "novu_key_name": KEY_NAME}

_RATE = re.compile(r"(?P<events>\d{1,9}(?:\.\d{1,9})?)(?:/(?P<unit>[sm]))?", re.ASCII)
LEAST_RATE, MOST_RATE = 0.01, 100_000.0
"""Events a second (docs/database_functions.md, `set_enterprise`)."""


def show(enterprise_id: EnterpriseId, as_json: AsJson = False) -> None:
    """Print whether it is served, and its settings.

    Exit 0 printed; 1 nobody knows it; 2 for wrong settings, or if the database does not answer.
    """
    found = answer_of(
        lambda client: call_function(
            client, "list_enterprises", p_search=enterprise_id, p_after=enterprise_id[:-1], p_limit=1000
        )
    )
    row = next((row for row in found if row["enterprise_id"] == enterprise_id), None)
    if row is None:
        exit_with_hint(f"Nobody knows {enterprise_id}.", "xnovu enterprise list names those that are.", EXIT_NOT_THERE)
    if as_json:
        say(json.dumps(row, indent=2))
        return
    say(f"{enterprise_id}: {'served' if row['served'] else 'not served'}, changed {row['changed_at']}")
    _say_settings(row["settings"])


def set_settings(
    enterprise_id: EnterpriseId,
    time_zone: Annotated[
        str | None, typer.Option(metavar="NAME", help="IANA name, for rules that name none; default: UTC.")
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="EVENTS", help="Events at most: 5 or 5/s a second, 90/m a minute; default: any."),
    ] = None,
    novu_key_name: Annotated[
        str | None,
        typer.Option(metavar="VARIABLE", help="Which holds its key where workers run: NOVU_SECRET_KEY__ and a name."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give the enterprise settings of its own; `default` takes one back. What is not named stays as it is.

    Daemons take it up within ten seconds. Exit 0, also if it was so already; 2 for what cannot be, for wrong settings,
    or if the database does not answer.
    """
    settings: dict[str, Any] = {}
    if time_zone is not None:
        settings["time_zone"] = None if time_zone == DEFAULT else _zone(time_zone)
    if rate is not None:
        settings["rate_per_second"] = None if rate == DEFAULT else _per_second(rate)
    if novu_key_name is not None:
        settings["novu_key_name"] = None if novu_key_name == DEFAULT else _key_name(novu_key_name)
    if not settings:
        raise typer.BadParameter("Nothing is named that is to be set. Hint: --time-zone, --rate or --novu-key-name.")
    answer: Mapping[str, Any] = answer_of(
        lambda client: call_function(client, "set_enterprise", p_enterprise_id=enterprise_id, p_settings=settings)
    )
    result = "set" if answer["was"] != answer["settings"] else "already_set"
    if as_json:
        say(json.dumps({"result": result, **answer}, indent=2))
        return
    say(f"{enterprise_id}: {result}")
    _say_settings(answer["settings"])


def _zone(name: str) -> str:
    try:
        load_zone(name)
    except CronRefused as refused:
        raise typer.BadParameter(str(refused), param_hint="--time-zone") from None
    return name


def _per_second(text: str) -> float:
    found = _RATE.fullmatch(text.strip())
    per_second = float(found["events"]) / (60 if found["unit"] == "m" else 1) if found else 0.0
    if not LEAST_RATE <= per_second <= MOST_RATE:
        raise typer.BadParameter(
            f"{text!r} is no rate. Hint: {LEAST_RATE} to {MOST_RATE:,.0f} events a second, such as 5 or 90/m.",
            param_hint="--rate",
        )
    return per_second


def _key_name(name: str) -> str:
    if not NAMED_NOVU_KEY.fullmatch(name):
        # Not quoted: it may be the key itself.
        raise typer.BadParameter(
            "that is no variable's name. Hint: NOVU_SECRET_KEY__ and 1-64 of A-Z, 0-9, '_', such as"
            " NOVU_SECRET_KEY__ACME; the key itself is set in that variable where workers run, and nowhere else.",
            param_hint="--novu-key-name",
        )
    return name


def _say_settings(settings: Mapping[str, Any]) -> None:
    for name, meaning in _NAMES.items():
        say(f"  {meaning}: {settings.get(name, f'{_DEFAULTS[name]} (default)')}")


def add_to(app: typer.Typer) -> None:
    """The commands `show` and `set`."""
    app.command()(show)
    app.command("set")(set_settings)
