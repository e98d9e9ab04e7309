"""The alerts tell when they should and keep quiet when they should, by Prometheus's own evaluation of the rules.

promtool is Debian's (package prometheus). Where it is not to be had these tests are skipped.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.observability.sources import GENERATED, ROOT, alerts

RULES = GENERATED / "prometheus_rules.yaml"
PROMTOOL = shutil.which("promtool") or shutil.which(ROOT / "build" / "prometheus" / "usr" / "bin" / "promtool")

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here: .ci/run says how to get it")

NEVER = "_x60"
"""No sample for an hour."""


@dataclass(frozen=True)
class Case:
    """Series as they come each minute, and how many times the alert is told at that minute (0: not at all)."""

    alert: str
    when: str
    series: dict[str, str]
    at_minute: int
    told: int

    def __str__(self) -> str:
        return f"{self.alert}: {self.when}"


ONE, OTHER = '{xnovu_shard="3"}', '{xnovu_shard="11"}'
LIVE = "xnovu_listener_subscription_live"
TEMPORAL_AVAILABLE = "xnovu_listener_temporal_available"
BACKLOG, AGE, POLLERS = (f"xnovu_task_queue_{name}" for name in ("backlog", "backlog_age_seconds", "pollers"))
ACTIVITY, WORKFLOW = '{xnovu_task_type="activity"}', '{xnovu_task_type="workflow"}'
OUTCOMES = "xnovu_notifications_total"
GIVEN_UP = f'{OUTCOMES}{{xnovu_enterprise_id="acme",xnovu_outcome="FAILED",xnovu_code="delivery_timed_out"}}'
WITHIN = "xnovu_notification_commit_to_outcome_duration_seconds"
FAILED_TASKS = "temporal_workflow_task_execution_failed_total"
NOT_SERVED = "xnovu_worker_not_served_total"
SLOTS = "temporal_worker_task_slots_available"
MESSAGES_OF_ACME = 'xnovu_delivery_messages_total{xnovu_enterprise_id="acme",xnovu_channel='


def outcomes(enterprise: str, *, sent: str, failed: str) -> dict[str, str]:
    of = f'{OUTCOMES}{{xnovu_enterprise_id="{enterprise}",xnovu_outcome='
    return {f'{of}"SENT"}}': sent, f'{of}"FAILED",xnovu_code="novu_refused"}}': failed}


def histogram(name: str, *, fast: str, everything: str, at: str) -> dict[str, str]:
    """Values that grow so: of `everything`, `fast` are at most `at` seconds."""
    return {f'{name}_bucket{{le="{at}"}}': fast, f'{name}_bucket{{le="+Inf"}}': everything, f"{name}_count": everything}


def messages(channel: str, *, sent: str, failed: str) -> dict[str, str]:
    of = f'{MESSAGES_OF_ACME}"{channel}",xnovu_outcome='
    return {f'{of}"sent"}}': sent, f'{of}"failed"}}': failed}


def webhooks(**by_result: str) -> dict[str, str]:
    return {f'xnovu_webhook_events_total{{xnovu_result="{name}"}}': values for name, values in by_result.items()}


def tasks(reason: str, values: str) -> dict[str, str]:
    return {f'{FAILED_TASKS}{{failure_reason="{reason}",workflow_type="CronScheduling"}}': values}


CASES = [
    Case("listener_silent", "none has ever reported", {}, 6, 1),
    Case("listener_silent", "the last one went", {TEMPORAL_AVAILABLE: f"1x5 {NEVER}"}, 12, 1),
    Case("listener_silent", "a deployment takes two minutes", {TEMPORAL_AVAILABLE: "1x5 _x2 1x30"}, 9, 0),
    Case("subscription_down", "one of two is down", {f"{LIVE}{ONE}": "0x20", f"{LIVE}{OTHER}": "1x20"}, 10, 1),
    Case("subscription_down", "both are down", {f"{LIVE}{ONE}": "0x20", f"{LIVE}{OTHER}": "0x20"}, 10, 2),
    Case(
        "subscription_down",
        "another listener hears it",
        {f'{LIVE}{{xnovu_shard="3",instance="{number}"}}': f"{number}x20" for number in (0, 1)},
        10,
        0,
    ),
    Case("subscription_down", "a reconnect", {f"{LIVE}{ONE}": "1x5 0x1 1x20"}, 8, 0),
    Case("rows_waiting", "for ten minutes", {"xnovu_backlog_age_seconds": "0+60x20"}, 12, 1),
    Case("rows_waiting", "for a moment", {"xnovu_backlog_age_seconds": "0 150 0x20"}, 12, 0),
    Case(
        "row_changes_late",
        "half of them come after 10 s",
        histogram("xnovu_listener_event_lag_seconds", fast="0+5x30", everything="0+10x30", at="10.0")
        | {'xnovu_listener_event_lag_seconds_bucket{le="60.0"}': "0+10x30"},
        20,
        1,
    ),
    Case(
        "row_changes_late",
        "all of them come in 1 s",
        histogram("xnovu_listener_event_lag_seconds", fast="0+10x30", everything="0+10x30", at="1.0"),
        20,
        0,
    ),
    Case("row_changes_unreadable", "one", {'xnovu_listener_changes_total{xnovu_change="malformed"}': "0x5 1x20"}, 8, 1),
    Case(
        "row_changes_unreadable", "of long ago", {'xnovu_listener_changes_total{xnovu_change="failed"}': "7x30"}, 8, 0
    ),
    Case(
        "row_changes_unreadable",
        "many that could be read",
        {'xnovu_listener_changes_total{xnovu_change="notification"}': "0+100x30"},
        8,
        0,
    ),
    Case(
        "database_unreachable", "for as long as ten minutes", {"xnovu_listener_sweeps_delayed_total": "0+8x20"}, 12, 1
    ),
    Case("database_unreachable", "for half a minute", {"xnovu_listener_sweeps_delayed_total": "0x5 6x20"}, 9, 0),
    Case("temporal_unreachable", "for five minutes", {TEMPORAL_AVAILABLE: "1x3 0x20"}, 10, 1),
    Case("temporal_unreachable", "for a minute", {TEMPORAL_AVAILABLE: "1x3 0 1x20"}, 10, 0),
    Case("orchestration_restarted", "once", {"xnovu_listener_orchestration_restarts_total": "0x5 1x20"}, 8, 1),
    Case("orchestration_restarted", "yesterday", {"xnovu_listener_orchestration_restarts_total": "1x60"}, 30, 0),
    Case("task_backlog_old", "90 s", {f"{AGE}{ACTIVITY}": "90x20"}, 10, 1),
    Case("task_backlog_old", "30 s", {f"{AGE}{ACTIVITY}": "30x20"}, 10, 0),
    Case("task_backlog_very_old", "of both kinds", {f"{AGE}{ACTIVITY}": "400x20", f"{AGE}{WORKFLOW}": "400x20"}, 10, 2),
    Case("task_backlog_very_old", "90 s", {f"{AGE}{ACTIVITY}": "90x20"}, 10, 0),
    Case(
        "workflow_tasks_late",
        "a tenth waits for a minute",
        histogram(
            "temporal_workflow_task_schedule_to_start_latency_seconds", fast="0+9x30", everything="0+10x30", at="5.0"
        )
        | {'temporal_workflow_task_schedule_to_start_latency_seconds_bucket{le="60.0"}': "0+10x30"},
        20,
        1,
    ),
    Case(
        "workflow_tasks_late",
        "none waits",
        histogram(
            "temporal_workflow_task_schedule_to_start_latency_seconds", fast="0+9x30", everything="0+9x30", at="5.0"
        ),
        20,
        0,
    ),
    Case(
        "activities_late",
        "a tenth waits for a minute",
        histogram("temporal_activity_schedule_to_start_latency_seconds", fast="0+9x30", everything="0+10x30", at="30.0")
        | {'temporal_activity_schedule_to_start_latency_seconds_bucket{le="60.0"}': "0+10x30"},
        20,
        1,
    ),
    Case(
        "activities_late",
        "none waits longer than 30 s",
        histogram("temporal_activity_schedule_to_start_latency_seconds", fast="0+9x30", everything="0+9x30", at="30.0"),
        20,
        0,
    ),
    Case(
        "no_worker_polls",
        "activities wait",
        {f"{BACKLOG}{ACTIVITY}": "7x20", f"{POLLERS}{ACTIVITY}": "0x20", f"{POLLERS}{WORKFLOW}": "3x20"},
        10,
        1,
    ),
    Case("no_worker_polls", "scaled to zero", {f"{BACKLOG}{ACTIVITY}": "0x20", f"{POLLERS}{ACTIVITY}": "0x20"}, 10, 0),
    Case("no_worker_polls", "they poll", {f"{BACKLOG}{ACTIVITY}": "7x20", f"{POLLERS}{ACTIVITY}": "2x20"}, 10, 0),
    Case("worker_silent", "all went", {"temporal_num_pollers": f"5x5 {NEVER}"}, 13, 1),
    Case(
        "worker_silent",
        "one of two went",
        {'temporal_num_pollers{i="1"}': f"5x5 {NEVER}", "temporal_num_pollers": "5x30"},
        13,
        0,
    ),
    Case(
        "worker_full", "all", {f'{SLOTS}{{worker_type="ActivityWorker",instance="{i}"}}': "0x20" for i in (1, 2)}, 8, 1
    ),
    Case(
        "worker_full",
        "one of two",
        {f'{SLOTS}{{worker_type="ActivityWorker",instance="{i}"}}': f"{i}x20" for i in (0, 1)},
        8,
        0,
    ),
    Case("notifications_failing", "a tenth", outcomes("acme", sent="0+90x40", failed="0+10x40"), 30, 1),
    Case("notifications_failing", "one in a hundred", outcomes("acme", sent="0+99x40", failed="0+1x40"), 30, 0),
    Case(
        "notifications_failing", "two in a quiet night", outcomes("acme", sent="0x60", failed="0x10 1x10 2x40"), 30, 0
    ),
    Case(
        "enterprise_failing",
        "a small one, wholly, among many that go",
        outcomes("acme", sent="0+900x40", failed="0x40") | outcomes("globex", sent="0x40", failed="0+2x40"),
        30,
        1,
    ),
    Case("enterprise_failing", "a tenth of one's", outcomes("acme", sent="0+90x40", failed="0+10x40"), 30, 0),
    Case("enterprise_not_served", "the first of a process", {NOT_SERVED: "_x5 1x60"}, 8, 1),
    Case(
        "enterprise_not_served",
        "more of two processes",
        {f'{NOT_SERVED}{{i="{i}"}}': "7x30 9x30" for i in (1, 2)},
        33,
        1,
    ),
    Case("enterprise_not_served", "an hour ago", {NOT_SERVED: "_x5 1x80"}, 60, 0),
    Case(
        "delivery_slow_burning_fast",
        "a tenth",
        histogram(WITHIN, fast="0+9x80", everything="0+10x80", at="60.0"),
        75,
        1,
    ),
    Case(
        "delivery_slow_burning_fast",
        "it is over",
        histogram(WITHIN, fast="0+9x40 360+10x40", everything="0+10x80", at="60.0"),
        75,
        0,
    ),
    Case(
        "delivery_slow_burning_fast",
        "one in 200",
        histogram(WITHIN, fast="0+199x80", everything="0+200x80", at="60.0"),
        75,
        0,
    ),
    Case(
        "delivery_slow_burning",
        "one in 25",
        histogram(WITHIN, fast="0+24x420", everything="0+25x420", at="60.0"),
        400,
        1,
    ),
    Case(
        "delivery_slow_burning",
        "one in 200",
        histogram(WITHIN, fast="0+199x420", everything="0+200x420", at="60.0"),
        400,
        0,
    ),
    Case(
        "deliveries_given_up",
        "the first of a process, so that its counter begins with it",
        {GIVEN_UP: "_x5 1x60"},
        8,
        1,
    ),
    Case(
        "deliveries_given_up",
        "an hour ago",
        {GIVEN_UP: "_x5 1x80"},
        60,
        0,
    ),
    Case("deliveries_given_up", "others failed", outcomes("acme", sent="0x60", failed="_x5 1x60"), 8, 0),
    Case("messages_undelivered", "half of one channel", messages("SMS", sent="0+2x90", failed="0+2x90"), 75, 1),
    Case(
        "messages_undelivered",
        "all of one channel, of which none was ever sent, and few of the other",
        {f'{MESSAGES_OF_ACME}"SMS",xnovu_outcome="failed"}}': "0+2x90"}
        | messages("EMAIL", sent="0+19x90", failed="0+1x90"),
        75,
        1,
    ),
    Case("messages_undelivered", "one in ten", messages("EMAIL", sent="0+9x90", failed="0+1x90"), 75, 0),
    Case(
        "messages_undelivered", "nine of eleven, no more", messages("EMAIL", sent="0x5 2x85", failed="0x5 9x85"), 20, 0
    ),
    Case("messages_undelivered", "two hours ago", messages("EMAIL", sent="0x5 9x150", failed="0x5 90x150"), 140, 0),
    Case("delivery_unheard", "for 40 minutes", {"xnovu_delivery_unheard_age_seconds": "0+60x60"}, 40, 1),
    Case("delivery_unheard", "for 20 minutes", {"xnovu_delivery_unheard_age_seconds": "0+60x20 0x20"}, 25, 0),
    Case("webhooks_refused", "all, since Novu signs with another key", webhooks(refused="0+2x60"), 40, 1),
    Case("webhooks_refused", "the database is away", webhooks(recorded="0+1x60", failed="0+2x60"), 40, 1),
    Case("webhooks_refused", "somebody tries, beside Novu", webhooks(recorded="0+9x60", refused="0+2x60"), 40, 0),
    Case("webhooks_refused", "somebody tries now and then", webhooks(refused="0x5 9x60"), 20, 0),
    Case(
        "novu_faulting",
        "a fifth",
        {
            'xnovu_novu_events_total{xnovu_result="accepted"}': "0+8x20",
            'xnovu_novu_events_total{xnovu_result="fault"}': "0+2x20",
        },
        15,
        1,
    ),
    Case("novu_faulting", "refusals", {'xnovu_novu_events_total{xnovu_result="refused"}': "0+8x20"}, 15, 0),
    Case(
        "novu_payment_required",
        "a row that is put off every two minutes",
        {'xnovu_delivery_faults_total{xnovu_code="novu_payment_required"}': "_x5 1 1 2 2 3 3 4 4 5 5"},
        12,
        1,
    ),
    Case(
        "novu_payment_required",
        "paid half an hour ago",
        {'xnovu_delivery_faults_total{xnovu_code="novu_payment_required"}': "1 2 3 4 5x60"},
        40,
        0,
    ),
    Case(
        "novu_payment_required",
        "a rate that is used up",
        {'xnovu_delivery_faults_total{xnovu_code="novu_rate"}': "0+9x20"},
        12,
        0,
    ),
    Case(
        "workflow_nondeterministic", "the first, as a series of its own", tasks("NonDeterminismError", "_x5 1x60"), 7, 1
    ),
    Case("workflow_nondeterministic", "another", tasks("NonDeterminismError", "1x30 2x30"), 32, 1),
    Case("workflow_nondeterministic", "an hour ago", tasks("NonDeterminismError", "_x5 1x80"), 60, 0),
    Case("workflow_nondeterministic", "other failures", tasks("WorkflowError", "_x5 1x60"), 7, 0),
    Case("workflow_defect", "the first", tasks("WorkflowError", "_x5 1x60"), 7, 1),
    Case("workflow_defect", "other failures", tasks("PayloadsTooLarge", "_x5 1x60"), 7, 0),
    Case("workflow_message_too_large", "a payload", tasks("PayloadsTooLarge", "_x5 1x60"), 7, 1),
    Case("workflow_message_too_large", "a message", tasks("GrpcMessageTooLarge", "_x5 1x60"), 7, 1),
    Case("workflow_message_too_large", "other failures", tasks("WorkflowError", "_x5 1x60"), 7, 0),
]


def test_prometheus_accepts_the_rules() -> None:
    answer = subprocess.run([str(PROMTOOL), "check", "rules", str(RULES)], capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stderr
    assert f"{len({case.alert for case in CASES})} rules found" in answer.stdout


def test_every_rule_is_seen_to_tell_and_to_keep_quiet() -> None:
    rules = {alert.name for alert in alerts() if alert.expr and not alert.only}

    assert {case.alert for case in CASES if case.told} == rules
    assert {case.alert for case in CASES if not case.told} == rules


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_alert_tells_when_it_should(case: Case, tmp_path: Path) -> None:
    firing = f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}})'
    expected = [{"labels": "{}", "value": case.told}] if case.told else []
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": f"{case.at_minute}m", "exp_samples": expected}],
    }
    whole = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps(whole))

    answer = subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stdout + answer.stderr
