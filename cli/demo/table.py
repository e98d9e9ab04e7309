"""The demo's table."""

from collections.abc import Mapping, Sequence
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from cli.demo.verdict import KindVerdict


def show(
    console: Console, environment: Mapping[str, str], verdicts: Sequence[KindVerdict], unexpected: Sequence[str]
) -> bool:
    """Print every kind's line and the addresses to look further; returns whether all of it held."""
    table = Table(title="Rows, as expected and as seen")
    for heading in ("kind", "must end as"):
        table.add_column(heading)
    for heading in ("rows", "did", "Novu calls", "seen", "p50 ms", "p95 ms"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for verdict in verdicts:
        kind = verdict.kind
        table.add_row(
            kind.name,
            f"{kind.status} ({kind.error_code})" if kind.error_code else kind.status,
            str(verdict.rows),
            str(verdict.as_expected),
            str(verdict.calls_expected),
            str(verdict.calls_seen),
            percentile(verdict.latencies_ms, 50),
            percentile(verdict.latencies_ms, 95),
            "[green]holds[/]" if verdict.holds else "[red]DOES NOT HOLD[/]",
        )
    console.print(table)
    console.print(f"Temporal UI  {environment['XNOVU_STACK_TEMPORAL_UI_URL']}", highlight=False)
    console.print(f"Inbox        {environment['XNOVU_STACK_INBOX_URL']}", highlight=False)
    for transaction_id in unexpected:
        console.print(f"[red]Novu was called when it should not have been, or twice:[/] {transaction_id}")
    return not unexpected and all(verdict.holds for verdict in verdicts)


def percentile(values: Sequence[float], percent: int) -> str:
    """The percentile as text; empty where there is nothing to measure."""
    if len(values) < 2:
        return f"{values[0]:.0f}" if values else ""
    return f"{quantiles(values, n=100, method='inclusive')[percent - 1]:.0f}"
