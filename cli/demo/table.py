"""The demo's table."""

from collections.abc import Sequence
from statistics import quantiles

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from cli.demo.people import ChannelVerdict
from cli.demo.verdict import KindVerdict


def show(console: Console, verdicts: Sequence[KindVerdict], unexpected: Sequence[str]) -> bool:
    """Print every kind's line; returns whether all of it held."""
    table = Table(title="Rows, as expected and as seen", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("kind", no_wrap=True)
    table.add_column("must be", no_wrap=True)
    for heading in ("rows", "are", "calls", "seen", "p50", "p95"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("ok", no_wrap=True)
    for verdict in verdicts:
        kind = verdict.kind
        table.add_row(
            kind.name,
            kind.status,
            str(verdict.rows),
            str(verdict.as_expected),
            str(verdict.calls_expected),
            str(verdict.calls_seen),
            percentile(verdict.latencies_ms, 50),
            percentile(verdict.latencies_ms, 95),
            "[green]yes[/]" if verdict.holds else "[red]NO[/]",
        )
    console.print(table)
    console.print("must be, are: the rows' status, and the reason in a FAILED one. calls, seen: events sent to Novu.")
    console.print("p50, p95: milliseconds from the row's commit to Novu's request.")
    for transaction_id in unexpected:
        console.print(f"[red]Novu was called when it should not have been, or twice:[/] {transaction_id}")
    return not unexpected and all(verdict.holds for verdict in verdicts)


def show_people(console: Console, verdicts: Sequence[ChannelVerdict]) -> bool:
    """Print what people got in each channel; returns whether it is what was for them."""
    table = Table(title="Messages, as the people got them", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("channel", no_wrap=True)
    for heading in ("people", "due", "sent", "on rows", "no address due", "seen", "twice", "other"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("ok", no_wrap=True)
    for one in verdicts:
        figures = (
            *(one.people, one.sent_expected, one.sent, one.accounted),
            *(one.no_address_expected, one.no_address, one.twice),
        )
        table.add_row(
            one.channel, *map(str, (*figures, one.other_ends)), "[green]yes[/]" if one.holds else "[red]NO[/]"
        )
    console.print(table)
    console.print(
        "due, sent, on rows: messages, as the column delivery has it. no address: people a channel cannot reach."
    )
    return all(one.holds for one in verdicts)


def percentile(values: Sequence[float], percent: int) -> str:
    """The percentile as text; empty where there is nothing to measure."""
    if len(values) < 2:
        return f"{values[0]:.0f}" if values else ""
    return f"{quantiles(values, n=100, method='inclusive')[percent - 1]:.0f}"
