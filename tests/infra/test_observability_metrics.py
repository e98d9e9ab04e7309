"""Every query of alerts, dashboards, rules and SLOs asks for what the program, or the platform, really has."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from shared.telemetry.metric import Kind, Metric
from tests.infra.observability import promql
from tests.infra.observability.emitted import Series, declared, of_temporal, of_the_platform, of_the_program, series
from tests.infra.observability.files import files
from tests.infra.observability.prometheus_names import prometheus_names
from tests.infra.observability.sources import GENERATED, MODULE, ROOT, Asked, alerts, dashboard, queries, read_list

_OF_COUNTERS = {"rate", "increase", "irate"}
_RESOURCE = {"job", "instance"}
_CODES = (ROOT / "docs" / "error_codes.md").read_text()

ON_GOOGLE_CLOUD = series([*of_the_program(), *of_the_platform()])
ON_PROMETHEUS = {
    name: Series(name, frozenset(map(promql.label, ON_GOOGLE_CLOUD[of_ours].labels)), ON_GOOGLE_CLOUD[of_ours].counts)
    for of_ours, name in prometheus_names(of_the_program()).items()
}


def problems(expr: str, there_is: Mapping[str, Series]) -> list[str]:
    """What is wrong with the query: its names, its labels, its functions."""
    found: list[str] = []
    labels_there: set[str] = set()
    for selected in promql.selected(expr):
        series = there_is.get(selected.name)
        if series is None:
            found.append(f"there is no {selected.name}")
            continue
        labels_there |= series.labels
        found += [f"{selected.name} has no {label}" for label in selected.labels.keys() - series.labels - _RESOURCE]
        counted = bool(_OF_COUNTERS & set(selected.within))
        if counted and not series.counts:
            found.append(f"{selected.name} does not only grow, so its rate means nothing")
    found += [f"nothing has {label}" for label in sorted(promql.grouped(expr) - labels_there - {"le"})]
    return found


def made_queries() -> Iterator[Asked]:
    """Those of the files that are made for Prometheus, as they stand there."""
    rules = yaml.safe_load((GENERATED / "prometheus_rules.yaml").read_text())
    for rule in rules["groups"][0]["rules"]:
        yield Asked(f"rule {rule['alert']}", rule["expr"])
    for panel in json.loads((GENERATED / "grafana_dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield Asked(f"panel {panel['title']}", target["expr"])


def google_queries() -> Iterator[Asked]:
    """Those of the file that is made for Google Cloud, as they stand there."""
    for tile in json.loads((MODULE / "dashboard.json").read_text())["mosaicLayout"]["tiles"]:
        for expr in re.findall(r'"prometheusQuery": ("(?:[^"\\]|\\.)*")', json.dumps(tile)):
            yield Asked(f"tile {tile['widget']['title']}", json.loads(expr))


@pytest.mark.parametrize("asked", [*queries(), *google_queries()], ids=lambda asked: asked.where)
def test_a_query_for_google_cloud_asks_for_what_there_is(asked: Asked) -> None:
    assert problems(asked.expr, ON_GOOGLE_CLOUD) == []


@pytest.mark.parametrize("asked", [*queries(), *google_queries()], ids=lambda asked: asked.where)
def test_a_metric_of_several_kinds_of_resource_is_asked_for_by_each(asked: Asked) -> None:
    """Google refuses a selector that could mean several."""
    of_logs = read_list(MODULE / "log_metrics.yaml", "log_metrics")
    kinds = {
        f"logging.googleapis.com/user/${{prefix}}/{metric['name']}": set(
            re.findall(r'resource\.type="(\w+)"', metric["filter"])
        )
        for metric in of_logs
    }
    found: dict[str, set[str]] = {}
    for selected in promql.selected(asked.expr):
        if selected.name in kinds or selected.name.startswith("run.googleapis.com/container/"):
            assert "monitored_resource" in selected.labels, selected.name
            found.setdefault(selected.name, set()).add(selected.labels["monitored_resource"])

    assert all(kinds.get(name, of) == of for name, of in found.items())


@pytest.mark.parametrize("asked", list(made_queries()), ids=lambda asked: asked.where)
def test_a_query_for_prometheus_asks_for_what_there_is(asked: Asked) -> None:
    assert problems(asked.expr, ON_PROMETHEUS) == []


@pytest.mark.parametrize("asked", queries(), ids=lambda asked: asked.where)
def test_the_values_that_a_query_looks_for_are_documented(asked: Asked) -> None:
    meanings = {metric.name: metric.meaning for metric in of_the_program()}

    for selected in promql.selected(asked.expr):
        if selected.name in meanings:  # others are the platform's, whose pools and services Terraform names
            known = meanings[selected.name] + (_CODES if "xnovu.code" in selected.labels else "")
            values = {one for value in selected.labels.values() for one in value.split("|")}
            assert {one for one in values if f"`{one}`" not in known} == set()


def test_a_filter_of_an_slo_names_a_metric_of_its_kind() -> None:
    filters = re.findall(r'metric\.type = \\"([^"\\]+)\\"', (MODULE / "slos.tf").read_text())
    ours = {f"prometheus.googleapis.com/{metric.name}/{metric.kind}" for metric in declared()}
    platforms = {metric.name for metric in of_the_platform()}

    assert len(filters) == 3
    assert set(filters) <= ours | platforms
    of_the_uptime_check = re.findall(r'metric\.type = "([^"]+)"', (MODULE / "uptime.tf").read_text())
    assert of_the_uptime_check != []
    assert set(of_the_uptime_check) <= platforms


@pytest.mark.parametrize(
    ("expr", "problem"),
    [
        ('max({"xnovu.backlog.agee"}) > 120', "there is no xnovu.backlog.agee"),
        ('sum(rate({"xnovu.novu.events", "xnovu.reslut"="fault"}[5m]))', "xnovu.novu.events has no xnovu.reslut"),
        ('sum by ("xnovu.enterprise") ({"xnovu.notifications"})', "nothing has xnovu.enterprise"),
        ('rate({"xnovu.listener.event.lag"}[5m])', "there is no xnovu.listener.event.lag"),
        ('rate({"xnovu.backlog.age"}[5m])', "xnovu.backlog.age does not only grow, so its rate means nothing"),
        ('count({"xnovu.backlog.age"}) and on ("le2") {"xnovu.backlog.rows"}', "nothing has le2"),
    ],
)
def test_what_is_misspelt_is_found(expr: str, problem: str) -> None:
    assert problems(expr, ON_GOOGLE_CLOUD) == [problem]


@pytest.mark.parametrize("expr", ["sum(rate(a[5m])", 'max by ("a" ({"b"})', "rate({'a'})"])
def test_what_is_not_promql_is_refused(expr: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        promql.parse(expr)


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.name))
def test_what_is_made_is_current(path: Path) -> None:
    assert path.read_text() == files()[path], "run `make observability`"


def test_a_translated_query_selects_the_same() -> None:
    """By the parser, where the translation goes by the text."""
    names = prometheus_names(of_the_program())
    for asked in queries():
        if "${" in asked.expr or not {found.name for found in promql.selected(asked.expr)} <= names.keys():
            continue
        expected = [
            (names[found.name], {promql.label(label): value for label, value in found.labels.items()}, found.within)
            for found in promql.selected(asked.expr)
        ]

        translated = promql.translate(asked.expr, names.__getitem__)

        assert [(found.name, found.labels, found.within) for found in promql.selected(translated)] == expected
        assert promql.grouped(translated) == set(map(promql.label, promql.grouped(asked.expr)))


def test_prometheus_names_are_those_that_our_exporter_writes() -> None:
    age = Metric("a.lag", Kind.HISTOGRAM, "s", "")

    assert prometheus_names([age]) == {
        "a.lag_bucket": "a_lag_seconds_bucket",
        "a.lag_count": "a_lag_seconds_count",
        "a.lag_sum": "a_lag_seconds_sum",
    }
    assert prometheus_names([Metric("a.b", Kind.COUNTER, "{row}", "")]) == {"a.b": "a_b_total"}


def test_what_needs_google_cloud_is_for_google_cloud_only() -> None:
    of_the_program_only = series(of_the_program())
    elsewhere = [(alert.name, alert.only, alert.expr or "") for alert in alerts()] + [
        (tile.title, tile.only, query.expr)
        for section in dashboard().sections
        for tile in section.tiles
        for query in tile.queries
    ]

    for name, only, expr in elsewhere:
        needs_it = bool(list(promql.terraforms(expr))) or not expr
        needs_it = needs_it or any(found.name not in of_the_program_only for found in promql.selected(expr))
        assert not needs_it or only == "google_cloud", f"{name} says: only: google_cloud"


def test_the_catalogue_is_the_documented_one() -> None:
    documented = re.findall(
        r"^\| `([^`]+)` \| (?:counter|gauge|histogram) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE
    )

    assert sorted(metric.name for metric in declared()) == sorted(documented)
    assert len(of_temporal()) >= 8
