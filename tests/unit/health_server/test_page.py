"""What the status page is made of."""

import re
from datetime import timedelta

import pytest

from cli.health_server.application import wants_html
from cli.health_server.history import History, Sample
from cli.health_server.page import StatusPage, ago, duration, number
from cli.health_server.plot import HEIGHT, WIDTH, plot
from shared.health.assessment import report_status
from tests.unit.health.builders import NOW, a_database, before, observed


def a_sample(seconds_ago: float, waiting: int | None) -> Sample:
    return Sample(before(seconds_ago), None, None, None, None, waiting)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250 ms"),
        (4.06, "4.1 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (3_700, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.3114, "0.311"), (12.3, "12.3"), (1234.5, "1,234")])
def test_a_number_has_as_many_digits_as_one_reads(value: float, text: str) -> None:
    assert number(value) == text


def test_an_instant_is_told_by_its_distance() -> None:
    assert [ago(instant, NOW) for instant in (None, "2026-03-02T09:00:00Z", "2026-03-02T08:59:13.4Z")] == [
        "never",
        "now",
        "47 s ago",
    ]


def test_a_line_runs_from_left_to_right_and_breaks_where_nothing_was_seen() -> None:
    samples = [a_sample(900, 0), a_sample(450, 50), a_sample(30, None), a_sample(0, 100)]

    drawn = plot("Waiting", "rows", samples, [("rows", lambda it: it.waiting_rows)], now=NOW, at_least=10)

    assert drawn.top == 100
    [line] = drawn.lines
    assert line.latest == 100
    assert line.segments == (f"0.0,{HEIGHT}.0 {WIDTH / 2},{HEIGHT / 2}", f"{WIDTH}.0,0.0 {WIDTH}.0,0.0")


def test_what_is_older_than_the_plot_is_left_out() -> None:
    drawn = plot("Waiting", "rows", [a_sample(901, 99)], [("rows", lambda it: it.waiting_rows)], now=NOW, at_least=10)

    assert (drawn.top, drawn.lines[0].segments, drawn.lines[0].latest) == (10, (), None)


def test_history_keeps_the_latest_and_notes_silence_as_a_gap() -> None:
    history = History(capacity=2)

    history.note(a_database(), before(9))
    history.note(a_database(), before(6))
    history.note(a_database(error="Supabase: 503"), before(3))

    assert [(sample.at, sample.waiting_rows) for sample in history.samples] == [(before(6), 0), (before(3), None)]


@pytest.mark.parametrize("accept", ["text/html", "TEXT/HTML;q=0.9, */*", "text/html, application/json"])
def test_a_browser_is_known_by_what_it_accepts(accept: str) -> None:
    assert wants_html(accept)


def test_links_are_made_only_where_temporals_interface_is_known() -> None:
    status = report_status(observed(), NOW).to_json()

    with_links, _ = StatusPage("https://temporal.example", "name/space").render(status, (), NOW)
    without, _ = StatusPage(None, "default").render(status, (), NOW + timedelta(seconds=1))

    assert "https://temporal.example/namespaces/name%2Fspace/workflows/cron-scheduling%2Facme" in with_links
    assert "/workflows" not in without


def test_every_table_has_a_name_and_every_head_says_what_it_heads() -> None:
    status = report_status(observed(), NOW).to_json()

    page, _ = StatusPage(None, "default").render(status, (), NOW)

    tables, heads = re.findall(r"<table[^>]*>", page), re.findall(r"<th\b[^>]*>", page)
    assert tables
    assert [table for table in tables if "aria-label=" not in table] == []
    assert [head for head in heads if not re.search(r'scope="(col|row)"', head)] == []
