"""Figures beside what the project asks of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """A figure in the table, and what the project asks of it: `limit` at most, or at least."""

    name: str
    limit: float | None = None
    at_least: bool = False


def show(title: str, figures: Mapping[str, float], lines: Sequence[Line]) -> bool:
    """Print the table; whether all that is asked holds."""
    all_hold = True
    table = Table(title=title)
    for heading in ("figure", "measured", "asked", ""):
        table.add_column(heading, justify="left" if heading in ("figure", "") else "right")
    for line in lines:
        value = figures[line.name]
        if line.limit is None:
            table.add_row(line.name, f"{value:g}", "", "")
            continue
        holds = value >= line.limit if line.at_least else value <= line.limit
        all_hold = all_hold and holds
        asked = f"{'>=' if line.at_least else '<='} {line.limit:g}"
        table.add_row(line.name, f"{value:g}", asked, "[green]holds[/]" if holds else "[red]missed[/]")
    Console().print(table)
    return all_hold
