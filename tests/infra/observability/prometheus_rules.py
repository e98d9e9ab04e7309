"""The alerts as Prometheus's rules, for those who scrape /metrics."""

from collections.abc import Callable

import yaml

from tests.infra.observability.promql import translate
from tests.infra.observability.sources import Alert, alerts

_HEAD = """\
# Made by `make observability` from infra/terraform/modules/observability/alerts.yaml; edit that.
# Each rule's runbook is a section of docs/runbook.md.
"""


def render(name_of: Callable[[str], str]) -> str:
    """The file. Raises KeyError for a series that the program does not have."""
    rules = [_rule(alert, alert.expr, name_of) for alert in alerts() if alert.expr and not alert.only]
    groups = {"groups": [{"name": "xnovu", "rules": rules}]}
    return _HEAD + yaml.safe_dump(groups, sort_keys=False, width=120)


def _rule(alert: Alert, expr: str, name_of: Callable[[str], str]) -> dict[str, object]:
    return {
        "alert": alert.name,
        "expr": translate(expr, name_of),
        "for": alert.holds_for,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.title,
            "description": f"Who notices: {alert.who}.",
            "runbook": f"docs/runbook.md#{alert.name}",
        },
    }
