"""The metrics of health say what /status says."""

from dataclasses import replace
from typing import Any

from cli.health_server.metrics import RETRIED_CODES, HealthMetrics
from shared.health.assessment import report_status
from shared.health.observations import DueRows, RetriedDeliveries
from tests.unit.health.builders import NOW, a_database, a_listener, a_temporal, a_worker, before, observed
from tests.unit.telemetry.conftest import Recorded, install


def _of(recorded: Recorded, name: str, *attributes: str) -> dict[Any, float]:
    """By the values of these attributes; what is 0 is left out."""
    return {
        tuple(dict(key)[attribute] for attribute in attributes): value
        for key, value in recorded.latest(name).items()
        if value
    }


def _problems(recorded: Recorded) -> dict[Any, float]:
    return _of(recorded, "xnovu.health.problems", "xnovu.health.component", "xnovu.health.status", "xnovu.health.role")


def test_a_cause_is_told_from_what_it_brings_about_and_what_is_over_is_0() -> None:
    recorded, metrics = install(), HealthMetrics()
    waiting = a_database(due={"acme": DueRows(rows=7, oldest_age_seconds=400.0)})
    frozen = a_temporal(error="Temporal: frozen", answered_at=before(28))

    metrics.note(report_status(observed(a_listener(), a_worker(), temporal=frozen, database=waiting), NOW))
    ill = _problems(recorded)
    rows = _of(recorded, "xnovu.health.unfinished", "xnovu.row.state")
    [age] = recorded.latest("xnovu.health.unfinished.age").values()
    metrics.note(report_status(observed(), NOW))

    assert ill["temporal", "unhealthy", "cause"] == 1
    assert ill["queue", "unhealthy", "consequence"] == 1
    assert {key for key in ill if key[2] == "cause"} == {("temporal", "unhealthy", "cause")}
    assert rows == {("waiting",): 7}
    assert age == 400.0
    assert _problems(recorded) == {}
    assert len(recorded.latest("xnovu.health.problems")) == 28, "each series is there, whatever is wrong"


def test_rows_that_are_tried_again_are_told_by_code_and_codes_are_few() -> None:
    recorded, metrics = install(), HealthMetrics()
    retried = [("acme", "novu_fault", 3), ("globex", "novu_fault", 4), *(("acme", f"code {n}", 1) for n in range(50))]
    database = a_database(
        retried=tuple(
            RetriedDeliveries(enterprise_id=who, code=code, rows=rows, oldest_age_seconds=5.0)
            for who, code, rows in retried
        )
    )

    metrics.note(report_status(observed(a_listener(), a_worker(), database=database), NOW))

    assert _of(recorded, "xnovu.health.retried", "xnovu.code") == {("novu_fault",): 7, ("other",): 50}
    assert len(recorded.latest("xnovu.health.retried")) == len(RETRIED_CODES) + 1


def test_what_nobody_knows_has_no_figure() -> None:
    recorded, metrics = install(), HealthMetrics()
    silent = replace(a_database(), error="Supabase: ReadTimeout", answered_at=before(20))

    metrics.note(report_status(observed(a_listener(), a_worker(), database=silent), NOW))

    for name in ("xnovu.health.unfinished", "xnovu.health.unfinished.age", "xnovu.health.retried"):
        assert recorded.latest(name) == {}
    assert _problems(recorded)["supabase", "unhealthy", "cause"] == 1
