"""The files that are made, by where they belong."""

from collections.abc import Mapping
from pathlib import Path

from tests.infra.observability import google_dashboard, grafana_dashboard, prometheus_rules
from tests.infra.observability.emitted import of_the_program
from tests.infra.observability.prometheus_names import prometheus_names
from tests.infra.observability.sources import GENERATED, MODULE


def files() -> Mapping[Path, str]:
    """What each ought to hold. Raises KeyError, with its name, for a series that the program does not have."""
    name_of = prometheus_names(of_the_program()).__getitem__
    return {
        GENERATED / "prometheus_rules.yaml": prometheus_rules.render(name_of),
        GENERATED / "grafana_dashboard.json": grafana_dashboard.render(name_of),
        MODULE / "dashboard.json": google_dashboard.render(),
    }
