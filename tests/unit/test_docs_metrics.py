"""docs/metrics.md lists every metric that is declared, as it is declared."""

import re
from pathlib import Path

from cli.health_server import metrics as health_metrics
from functions import webhook_endpoint
from functions.scaling import metrics as scaler_metrics
from listener import metrics as listener_metrics
from shared import measured_accounts, supervision
from shared.novu import measured as novu_measured
from shared.telemetry import process_metrics
from shared.telemetry.metric import Metric
from worker import metrics as worker_metrics

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
DECLARED = (
    *listener_metrics.METRICS,
    *worker_metrics.METRICS,
    *novu_measured.METRICS,
    *scaler_metrics.METRICS,
    *process_metrics.METRICS,
    *supervision.METRICS,
    *measured_accounts.METRICS,
    *webhook_endpoint.METRICS,
    *health_metrics.METRICS,
)


def a_line(metric: Metric) -> str:
    attributes = ", ".join(f"`{attribute}`" for attribute in metric.attributes) or "—"
    return f"| `{metric.name}` | {metric.kind} | `{metric.unit}` | {attributes} | {metric.meaning} |"


def test_every_metric_has_its_line_and_no_line_is_left_over() -> None:
    lines = re.findall(r"^\| `[^`]+` \| (?:counter|gauge|histogram) \|.*$", DOCUMENT.read_text(), re.MULTILINE)

    assert sorted(lines) == sorted(map(a_line, DECLARED))


def test_no_two_metrics_share_a_name() -> None:
    assert len({metric.name for metric in DECLARED}) == len(DECLARED)
