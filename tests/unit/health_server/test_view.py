"""What the status page makes of /status."""

from dataclasses import replace
from typing import Any

from cli.health_server import view
from cli.health_server.page import StatusPage
from shared.health.assessment import report_status
from shared.health.observations import (
    DatabaseObservation,
    DueRows,
    FailedNotification,
    Observations,
    RetriedDeliveries,
    RuleErrors,
)
from tests.unit.health.builders import NOW, a_database, a_temporal, before, observed

SILENT_TEMPORAL = observed(
    temporal=a_temporal(answered_at=before(28), error="Temporal does not answer within 3 s"),
    database=a_database(due={"acme": DueRows(rows=185, oldest_age_seconds=28)}),
)


def told(observations: Observations) -> dict[str, Any]:
    return report_status(observations, NOW).to_json()


def page_of(status: dict[str, Any]) -> str:
    page, _ = StatusPage(None, "default").render(status, (), NOW)
    return page


def failed(
    notification_id: int, code: str, template: str | None = None, enterprise_id: str = "acme"
) -> FailedNotification:
    return FailedNotification(
        notification_id=notification_id,
        enterprise_id=enterprise_id,
        code=code,
        failed_at=before(notification_id),
        template=template,
    )


def test_the_cause_comes_with_what_it_holds_up_and_what_to_do_and_its_consequences_are_folded_under_it() -> None:
    page = page_of(told(SILENT_TEMPORAL))

    problems = page[page.index('class="problems"') : page.index("<dl")]
    before_fold, _, folded = problems.partition("<details")
    assert "no answer for 28 s" in before_fold
    assert "185 rows of 1 enterprise wait, the oldest for 28 s; nothing is lost." in before_fold
    assert "What to do: <code>xnovu doctor temporal</code>" in before_fold
    assert "185 due rows wait" not in before_fold
    assert "185 due rows wait" in folded


def test_each_cause_has_what_it_brings_about() -> None:
    causes = view.causes(told(SILENT_TEMPORAL)["problems"])

    assert [cause.problem["component"] for cause in causes] == ["temporal"]
    assert {effect["component"] for effect in causes[0].effects} == {"queue", "ruleEngine"}


def test_what_is_announced_names_no_figure_that_changes_at_every_look() -> None:
    assert view.told(told(SILENT_TEMPORAL)) == "unhealthy: temporal"
    assert view.told(told(observed())) == "healthy"


def test_what_a_silent_database_holds_up_is_unknown_and_its_figures_are_marked_as_old() -> None:
    silent = replace(a_database(answered_at=before(40)), error="HTTP 503")

    status = told(observed(database=silent))

    assert view.held_up(status).startswith("How many rows wait nobody knows")
    assert view.old_since(status, "supabase") == "2026-03-02T08:59:20.000Z"
    assert view.old_since(status, "temporal") is None
    assert page_of(status).count("old: as of") == 3
    assert "old: as of" not in page_of(told(observed()))


def test_one_that_never_answered_has_no_old_figures() -> None:
    assert view.old_since(told(observed(database=DatabaseObservation(error="HTTP 503"))), "supabase") is None


def test_failures_are_told_by_reason_and_template() -> None:
    failures = (
        failed(1, "expired"),
        failed(2, "template_undefined_variable", "order-shipped"),
        failed(3, "template_undefined_variable", "welcome"),
        *(failed(number, "template_undefined_variable", "order-shipped", "globex") for number in range(4, 9)),
    )

    groups = list(view.grouped_failures(told(observed(database=a_database(failures=failures)))["last_errors"]))

    assert [(it.code, it.template, it.count, it.enterprises, it.notification_ids) for it in groups] == [
        ("expired", None, 1, ["acme"], [1]),
        ("template_undefined_variable", "order-shipped", 6, ["acme", "globex"], [2, 4, 5]),
        ("template_undefined_variable", "welcome", 1, ["acme"], [3]),
    ]
    assert groups[1].latest_at == "2026-03-02T08:59:58.000Z"


def test_what_is_tried_again_is_counted_over_all_enterprises() -> None:
    retried = [("acme", "novu_fault", 900, 120.0), ("globex", "novu_fault", 75, 20.0), ("acme", "in_doubt", 1000, 3.0)]
    status = told(
        observed(
            database=a_database(
                retried=tuple(
                    RetriedDeliveries(enterprise_id=who, code=code, rows=rows, oldest_age_seconds=age)
                    for who, code, rows, age in retried
                )
            )
        )
    )

    assert view.retried_by_code(status) == [
        view.Retried("in_doubt", 1000, 1, 3.0, True),
        view.Retried("novu_fault", 975, 2, 120.0, False),
    ]
    assert "Being tried again: 1,975+ rows, oldest 2 min" in page_of(status)


def test_the_unwell_are_apart_from_those_who_are_well_with_what_ails_them() -> None:
    wrong = RuleErrors(enterprise_id="globex", rules=2, rule_id=7, error="no such day")

    enterprises = view.enterprises(told(observed(database=a_database(rule_errors=(wrong,)))))

    assert (list(enterprises.unwell), list(enterprises.well)) == (["globex"], ["acme"])
    assert enterprises.ails["globex"] == ["2 rules cannot fire"]


def test_where_a_stand_in_for_novu_shows_its_messages_there_is_a_link() -> None:
    with_link, _ = StatusPage(None, "default", "http://127.0.0.1:4000/").render(told(observed()), (), NOW)

    assert '<a href="http://127.0.0.1:4000/">inbox</a>' in with_link
    assert "inbox" not in page_of(told(observed()))
