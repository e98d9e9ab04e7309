"""Each series over time, what its slope is after the warm-up, and what is allowed."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.soak.series import SECONDS_A_DAY, Finding, Verdict
from tests.soak.slope import Point

_COLUMNS = 4
_COLOURS = {Verdict.FLAT: "#0b6e99", Verdict.UNSURE: "#b58900", Verdict.GROWS: "#c0392b", Verdict.ABOVE: "#c0392b"}


def draw(
    samples: Mapping[str, Sequence[Point]], findings: Sequence[Finding], *, warm_up_seconds: float, file: Path
) -> None:
    """Write a PNG."""
    rows = ceil(len(findings) / _COLUMNS)
    figure = Figure(figsize=(4.2 * _COLUMNS, 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False)
    for number, finding in enumerate(findings):
        _panel(axes[number // _COLUMNS][number % _COLUMNS], samples[finding.name], finding, warm_up_seconds)
    for number in range(len(findings), rows * _COLUMNS):
        axes[number // _COLUMNS][number % _COLUMNS].set_axis_off()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)


def _panel(axes: Axes, points: Sequence[Point], finding: Finding, warm_up_seconds: float) -> None:
    colour = _COLOURS[finding.verdict]
    axes.axvspan(0, warm_up_seconds / 60, color="#eeeeee")
    axes.plot([at / 60 for at, _ in points], [value for _, value in points], color=colour, linewidth=1.0)
    judged = [(at, value) for at, value in points if at >= warm_up_seconds]
    middle_at = (judged[0][0] + judged[-1][0]) / 2
    middle = sorted(value for _, value in judged)[len(judged) // 2]
    ends = [judged[0][0], judged[-1][0]]
    line = [middle + finding.a_day / SECONDS_A_DAY * (at - middle_at) for at in ends]
    axes.plot([at / 60 for at in ends], line, color=colour, linestyle="--", linewidth=1.0)
    axes.set_title(f"{finding.name}{f' ({finding.unit})' if finding.unit else ''}: {finding.verdict}", fontsize=9)
    axes.set_ylim(bottom=0, top=max(1.0, 1.15 * max(value for _, value in points)))
    axes.set_xlabel("minutes", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
