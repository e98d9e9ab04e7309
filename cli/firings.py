"""Coming firings of a rule, for people as a table and for programs as JSON."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import typer

from cli.terminal import say, say_line
from shared.cron import Firing

MOST_FIRINGS = 1000
"""How many can be asked for at once."""

_HEADINGS = ("local", "UTC", "offset", "note")


@dataclass(frozen=True)
class PrintedFiring:
    """What is said about one firing; the JSON object has `local`, `utc` and `note`."""

    local: datetime
    note: str | None

    @property
    def utc_text(self) -> str:
        """RFC 3339 with `Z`."""
        return self.local.astimezone(UTC).isoformat().replace("+00:00", "Z")

    @property
    def offset_text(self) -> str:
        """The local offset from UTC: `-05:00`."""
        return self.local.isoformat()[len("2026-01-01T00:00:00") :]


def print_firings(firings: Iterable[Firing], *, as_json: bool) -> None:
    """Print to stdout: a JSON list, or a table with one line for each firing."""
    printed = list(_with_changes_of_clocks(firings))
    if as_json:
        objects = [{"local": it.local.isoformat(), "utc": it.utc_text, "note": it.note} for it in printed]
        say(json.dumps(objects, indent=2))
        return
    rows = [(it.local.strftime("%a %Y-%m-%d %H:%M:%S"), it.utc_text, it.offset_text, it.note or "") for it in printed]
    for line in _aligned([_HEADINGS, *rows]):
        say_line(line)


def read_instant(text: str | None, option: str) -> datetime:
    """An instant given as RFC 3339, or now; raises BadParameter, which names the option, for anything else, a missing
    offset included, and for what the calendar does not have.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise typer.BadParameter(
            f"{text!r} is no instant. Hint: RFC 3339 with an offset, such as 2026-03-07T12:00:00Z.",
            param_hint=option,
        )
    try:
        instant.astimezone(UTC)
    except OverflowError:
        raise typer.BadParameter(
            f"{text!r} is not of the years 1 to 9999. Hint: choose another instant.", param_hint=option
        ) from None
    return instant


def _with_changes_of_clocks(firings: Iterable[Firing]) -> Iterator[PrintedFiring]:
    """Note also where the clocks were changed since the firing before, if nothing else is to be said of it."""
    before: PrintedFiring | None = None
    for firing in firings:
        printed = PrintedFiring(firing.local, firing.note)
        if before is not None and printed.note is None and printed.offset_text != before.offset_text:
            printed = replace(printed, note=f"clocks have changed from {before.offset_text} to {printed.offset_text}")
        yield printed
        before = printed


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
