"""Count, backlog and wait over time: a column for each load, a colour for each scaler."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import quantiles

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.figure import Figure

from tests.benchmarks.simulate.fleet import Run

_COLOURS = ("#0b6e99", "#d9730d")
_ROWS = ("instances", "tasks waiting", "wait, p95 of each 2 min (s)")
_BIN_SECONDS = 120.0


def draw(runs: Mapping[str, Sequence[Run]], file: Path) -> None:
    """Write a PNG."""
    figure = Figure(figsize=(4.6 * len(runs), 8.4), layout="constrained")
    axes = figure.subplots(len(_ROWS), len(runs), sharex=True, squeeze=False)
    for column, (load, each) in enumerate(runs.items()):
        for run, colour in zip(each, _COLOURS, strict=True):
            hours = [at / 3600 for at, _, _ in run.counted]
            style = {"color": colour, "label": run.scaler, "linewidth": 1.2, "zorder": 3 - each.index(run)}
            axes[0][column].step(hours, [count for _, count, _ in run.counted], where="post", **style)
            axes[1][column].step(hours, [waiting for _, _, waiting in run.counted], where="post", **style)
            axes[2][column].plot(*_waits(run), **style)
        axes[0][column].set_title(load, fontsize=10)
        axes[-1][column].set_xlabel("hours")
        for row, name in enumerate(_ROWS):
            axes[row][column].set_ylim(bottom=0)
            axes[row][column].grid(alpha=0.3)
            if column == 0:
                axes[row][column].set_ylabel(name)
    axes[0][0].legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.08))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=90)


def _waits(run: Run) -> tuple[list[float], list[float]]:
    """The middle of each stretch in hours, and the 95th percentile of the waits of what came in it, if anything did."""
    groups = groupby(sorted(run.waits), key=lambda wait: int(wait[0] // _BIN_SECONDS))
    waits = {number: [wait for _, wait in group] for number, group in groups}
    stretches = range(max(waits) + 1)
    return (
        [(number + 0.5) * _BIN_SECONDS / 3600 for number in stretches],
        [_p95(waits[number]) if number in waits else math.nan for number in stretches],
    )


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[18] if len(seconds) > 1 else seconds[0]
