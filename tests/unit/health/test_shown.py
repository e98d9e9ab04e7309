"""Thousands of enterprises in one answer and on one page: those in trouble first, the others by search and by page."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cli.health_lines import health_lines
from cli.health_server.application import wanted
from cli.health_server.page import StatusPage
from shared.health.assessment import MOST_PROBLEMS, report_status
from shared.health.observations import (
    DueRows,
    EnterpriseObservation,
    ListenerObservation,
    Observations,
    RetriedDeliveries,
    RuleErrors,
)
from shared.health.observations import SubscriptionState as State
from shared.health.report import StatusReport
from shared.health.shown import MOST_SHOWN, Wanted, choose
from tests.unit.health.builders import NOW, a_database, a_report, a_worker, observed

MANY = [f"enterprise-{number:04}" for number in range(5000)]
SILENT, LATE = MANY[4321], MANY[1234]


def seen() -> Observations:
    enterprises = {each: EnterpriseObservation(state=State.SUBSCRIBED, last_event_at=NOW) for each in MANY}
    enterprises[SILENT] = EnterpriseObservation(state=State.RECONNECTING)
    return observed(
        a_report("listener-1", listener=ListenerObservation(enterprises=enterprises)),
        a_worker(),
        database=a_database(due={LATE: DueRows(rows=3, oldest_age_seconds=2.5)}),
    )


@pytest.fixture(scope="module")
def report() -> StatusReport:
    return report_status(seen(), NOW)


def test_those_in_trouble_come_first(report: StatusReport) -> None:
    status = report.to_json()

    assert list(status["enterprises"])[:3] == [SILENT, LATE, MANY[0]]
    assert len(status["enterprises"]) == MOST_SHOWN
    assert status["enterprises_shown"] == {"total": 5000, "matching": 5000, "search": "", "page": 1, "pages": 50}
    assert status["waiting_rows"] == 3


def test_rules_that_cannot_fire_and_rows_that_keep_failing_are_trouble_too() -> None:
    database = a_database(
        due={LATE: DueRows(rows=3, oldest_age_seconds=2.5)},
        rule_errors=(RuleErrors(enterprise_id=MANY[4000], rules=2, rule_id=7, error="no such day"),),
        retried=(
            RetriedDeliveries(enterprise_id=MANY[4500], code="novu_fault", rows=9, oldest_age_seconds=10),
            RetriedDeliveries(enterprise_id=MANY[4600], code="novu_fault", rows=9, oldest_age_seconds=9),
        ),
    )

    shown = report_status(replace(seen(), database=database), NOW).to_json()["enterprises"]

    assert list(shown)[:5] == [SILENT, MANY[4000], MANY[4500], LATE, MANY[0]]


def test_one_is_found_by_a_part_of_its_id(report: StatusReport) -> None:
    status = report.to_json(Wanted(search="PRISE-0999"))

    assert list(status["enterprises"]) == ["enterprise-0999"]
    assert status["enterprises_shown"]["matching"] == 1


def test_all_are_on_some_page_and_a_page_too_high_is_the_last() -> None:
    states = dict.fromkeys(MANY, State.SUBSCRIBED)

    pages = [choose(MANY, states, {}, Wanted(page=page)).enterprise_ids for page in range(1, 51)]

    assert [each for page in pages for each in page] == MANY
    assert choose(MANY, states, {}, Wanted(page=999)).page == 50


def test_health_stays_small_and_says_how_many_it_leaves_out(report: StatusReport) -> None:
    health = report.health.to_json()

    assert next(iter(health["enterprise_status"])) == SILENT
    assert len(health["enterprise_status"]) == MOST_SHOWN
    assert health["enterprises_left_out"] == 4900
    assert health["components"]["subscriptions"] == {"total": 5000, "active": 4999, "failed": 0, "reconnecting": 1}


def test_what_thousands_have_in_common_is_told_once(report: StatusReport) -> None:
    [problem] = [each for each in report.health.problems if "not run" in each.reason]

    assert problem.reason == (
        "cron-scheduling/enterprise-0000, scheduled-notification/enterprise-0000, cron-scheduling/enterprise-0001,"
        " scheduled-notification/enterprise-0001, cron-scheduling/enterprise-0002 and 9995 more do not run"
    )


def test_of_very_many_causes_the_heaviest_are_told_and_how_many_more_there_are() -> None:
    flaws = tuple(f"table {number} is not published; mend it with: alter publication" for number in range(50))
    enterprises = {"acme": EnterpriseObservation(state=State.RECONNECTING)}
    listener = ListenerObservation(enterprises=enterprises, flaws=flaws)

    problems = report_status(observed(a_report("listener-1", listener=listener), a_worker()), NOW).health.problems

    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1].reason == f"{50 + 1 - MOST_PROBLEMS} more problems"


def test_the_page_stays_below_300_kilobytes_and_has_a_search(report: StatusReport) -> None:
    page, policy = StatusPage("https://temporal.example", "default").render(
        report.to_json(wanted({"search": "enterprise", "page": "2"})), (), NOW + timedelta(seconds=1)
    )

    assert len(page.encode()) < 300_000
    assert 'value="enterprise"' in page
    assert 'href="/status?search=enterprise&amp;page=3"' in page
    assert "form-action 'self'" in policy


def test_what_cannot_be_meant_by_a_query_is_passed_over() -> None:
    assert wanted({"page": "minus one"}) == wanted({"page": "9" * 20}) == wanted({}) == Wanted()
    assert len(wanted({"search": "x" * 1000}).search) == 64


def test_people_are_told_that_there_are_more(report: StatusReport) -> None:
    lines = list(health_lines(report.to_json()))

    assert any(line.startswith("and 4900 more") for line in lines)
    assert len(lines) < 200
