"""Workflows, templates and rules of the database, a line each, or one as its file would be (docs/files.md)."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.aligned import aligned
from cli.failure import exit_with_hint, failures_named
from cli.files.file_text import NotToBeKept, file_text
from cli.files.kinds import Entry, Kind
from cli.files.rows import Kept
from cli.files.session import file_rows
from cli.files.validation import is_cron
from cli.terminal import say, say_line
from shared.suggestion import did_you_mean
from worker.scheduling.rule_decision import DEFAULT_TIME_ZONE, decide

EXIT_NOT_THERE = 1

LONGEST_ERROR = 100

Enterprises = Annotated[
    list[str] | None, typer.Option("--enterprise", metavar="ID", help="Only its own; repeat it. Default: all.")
]
Whose = Annotated[str, typer.Option("--enterprise", metavar="ID", help="Whose it is.")]
Identity = Annotated[str, typer.Argument(metavar="KEY", help="Its key; of a rule the name.")]
AsJson = Annotated[bool, typer.Option("--json", help="A list of objects (docs/files.md).")]
AsObject = Annotated[bool, typer.Option("--json", help="One object, with the columns as they are.")]


def add_list_and_show(app: typer.Typer, kind: Kind) -> None:
    """The commands `list` and `show` of this kind."""

    def list_them(enterprise: Enterprises = None, as_json: AsJson = False) -> None:
        """Print them, a line each, by enterprise: drafts, deactivated ones and those marked DELETED, too.

        Exit 0 also if there are none; 2 for wrong usage or settings, or no database.
        """
        with failures_named():
            found, zones = asyncio.run(_read_list(enterprise, kind))
        described = [
            _described(one, entry, zones.get(one)) for one, its in sorted(found.items()) for entry in its.entries
        ]
        left_out = [f"{one}: {reason}" for one, its in sorted(found.items()) for reason in its.left_out]
        if as_json:
            say(json.dumps(described, indent=2))
        elif described:
            for line in _lines(described):
                say_line(line)
        for reason in left_out:
            say_line(f"? {reason}", err=True, colour="yellow")

    def show(identity: Identity, enterprise: Whose, as_json: AsObject = False) -> None:
        """Print it as `xnovu export` would write it.

        Exit 0 printed, 1 there is none, 2 for wrong usage or settings, or no database.
        """
        with failures_named():
            found = asyncio.run(_read([enterprise], kind, whole=True)).get(enterprise, Kept())
        entry = next((entry for entry in found.entries if entry.identity == identity), None)
        if entry is None:
            known = [entry.identity for entry in found.entries]
            hint = did_you_mean(identity, known) if known else f"it has no {kind.value} at all; is --enterprise right?"
            exit_with_hint(f"Enterprise {enterprise} has no {kind.value} {identity}.", hint, EXIT_NOT_THERE)
        if as_json:
            extra = {"id": entry.id, "schedule_error": entry.schedule_error} if kind is Kind.RULE else {"id": entry.id}
            say(json.dumps({**extra, "enterprise_id": enterprise, **entry.columns}, indent=2))
        else:
            _show(entry)

    app.command("list")(list_them)
    app.command("show")(show)


async def _read_list(enterprises: Sequence[str] | None, kind: Kind) -> tuple[Mapping[str, Kept], Mapping[str, str]]:
    """And enterprises' time zones, where that matters."""
    async with file_rows() as rows:
        found = await rows.read(enterprises, kinds=(kind,), whole=False)
        return found, await rows.time_zones(enterprises) if kind is Kind.RULE else {}


async def _read(enterprises: Sequence[str] | None, kind: Kind, *, whole: bool) -> Mapping[str, Kept]:
    async with file_rows() as rows:
        # A workflow's templates are named by their keys, so that they are read with it.
        kinds = (Kind.TEMPLATE, kind) if whole and kind is Kind.WORKFLOW else (kind,)
        found = await rows.read(enterprises, kinds=kinds, whole=whole)
    return {one: Kept(its.of(kind), its.left_out) for one, its in found.items()}


def _show(entry: Entry) -> None:
    try:
        written = file_text(entry, "body")
    except NotToBeKept as reason:
        exit_with_hint(f"No file can hold {entry.subject}: {reason}.", "--json prints its columns.", EXIT_NOT_THERE)
    if entry.schedule_error:
        say_line(f"# schedule_error: {entry.schedule_error}")
    say(written.text.removesuffix("\n"))
    if written.body_path is not None:
        say(f"\n# {written.body_path.rpartition('/')[2]}\n{written.body.removesuffix(chr(10))}")


_SHOWN: Mapping[Kind, Sequence[str]] = {
    Kind.TEMPLATE: ("template_key", "channel_type", "name"),
    Kind.WORKFLOW: ("workflow_key", "workflow_type", "default_channels", "name"),
    Kind.RULE: ("name", "workflow", "trigger_type", "cron", "timezone", "next", "error"),
}


def _described(enterprise_id: str, entry: Entry, time_zone: str | None) -> dict[str, Any]:
    described = {"enterprise_id": enterprise_id, "id": entry.id, "status": _status(entry)}
    values = {**entry.columns, **(_firing(entry, time_zone) if entry.kind is Kind.RULE else {})}
    return described | {name: values[name] for name in _SHOWN[entry.kind]}


def _status(entry: Entry) -> str:
    return "deactivated" if entry.columns["deactivated"] else str(entry.columns["publish_status"])


def _firing(entry: Entry, time_zone: str | None) -> dict[str, Any]:
    """When it is due next, if it fires, and why it does not, or did not."""
    config = entry.columns["trigger_config"]
    members = config if isinstance(config, dict) else {}
    told = {"cron": members.get("cron"), "timezone": members.get("timezone") or time_zone, "next": None}
    if not is_cron(entry):
        return {**told, "error": entry.schedule_error}
    now = datetime.now(UTC)
    decision = decide(config, now, now, time_zone or DEFAULT_TIME_ZONE)
    due = decision.next_due_at if entry.is_active else None
    return {
        **told,
        "next": due.isoformat().replace("+00:00", "Z") if due else None,
        "error": entry.schedule_error or decision.error,
    }


def _lines(described: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    headings = [name.removesuffix("_id") for name in described[0]]
    yield from aligned([headings, *([_cell(value) for value in one.values()] for one in described)])


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "-"
    text = "-" if value is None else str(value)
    return text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 3]}..."
