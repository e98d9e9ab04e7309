"""What `xnovu daemon health` says to people: the answer of GET /status, what is wrong first. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from shared.health.condition import Part

_HINTS = {
    Part.SUBSCRIPTIONS: "xnovu doctor realtime tries a subscription; sweeps bring the rows meanwhile.",
    Part.RULE_ENGINE: "xnovu daemon status lists its schedulers.",
    Part.QUEUE: "xnovu trace follows one row; if the workers are busy: xnovu daemon restart --workers 2",
    Part.TEMPORAL: "xnovu doctor temporal",
    Part.SUPABASE: "xnovu doctor supabase",
    Part.NOVU: "xnovu doctor novu",
    Part.PROCESSES: "its log says where: part_failed. It is run again by itself; docs/runbook.md says what to do.",
}


def health_lines(status: Mapping[str, Any]) -> Iterator[str]:
    """`status` is the body of GET /status (docs/health.md)."""
    yield f"{status['status']}, up for {status['uptime']} s"
    hinted = set()
    for problem in status["problems"]:
        part = Part(problem["component"])
        hint = "" if part in hinted else f". Hint: {_HINTS[part]}"
        hinted.add(part)
        yield f"{part} {problem['status']}: {problem['reason'].rstrip('. ')}{hint}"
    yield ""
    for name, value in status["components"].items():
        said = ", ".join(f"{count} {what}" for what, count in value.items()) if isinstance(value, dict) else value
        yield f"{name}: {said}"
    yield f"orchestration workflow: {status['temporal_status']['orchestrationWorkflow']}"
    for enterprise_id, value in status["enterprise_status"].items():
        yield f"enterprise {enterprise_id}: {value}"
    yield ""
    yield from _pace(status)


def _pace(status: Mapping[str, Any]) -> Iterator[str]:
    """How fast it goes, and what waits where."""
    recent = status["recent"]
    yield f"last {recent['seconds']:g} s: {recent['sent']} sent, {recent['failed']} failed" + _latency(recent)
    yield from _became(status["delivery"])
    for enterprise_id, enterprise in status["enterprises"].items():
        if enterprise["due_rows"]:
            age = enterprise["oldest_due_age_seconds"]
            yield f"due and not taken up: {enterprise_id} {enterprise['due_rows']}, the oldest for {age:.1f} s"
    for retried in status["retried"]:
        yield (
            f"keep failing: {retried['enterprise_id']} {retried['rows']} ({retried['code']}), the oldest for"
            f" {retried['oldest_age_seconds']:.1f} s"
        )
    for kind, queue in status["task_queues"].items():
        if queue["backlog"]:
            age = queue["backlog_age_seconds"]
            yield f"waiting for a worker: {queue['backlog']} {kind} tasks, the oldest for {age:.1f} s"
    counts = Counter(process["component"] for process in status["processes"])
    cpu_percent = {(process["host"], process["pid"]): process["cpu_percent"] for process in status["processes"]}
    reporting = ", ".join(f"{count} {component}{'s' * (count != 1)}" for component, count in sorted(counts.items()))
    yield f"reporting: {reporting or 'nobody'}; busy {sum(cpu_percent.values()):.0f} % of a core"


def _became(delivery: Mapping[str, Any]) -> Iterator[str]:
    """What became of sent rows, where account is kept of it."""
    if not delivery["rows"]:
        return
    states = ", ".join(f"{count} {state}" for state, count in sorted(delivery["states"].items()))
    unheard = delivery["unheard_seconds"]
    yield f"of the latest {delivery['rows']} sent: {states}" + (
        f"; one unheard of for {unheard:.0f} s" if unheard else ""
    )


def _latency(recent: Mapping[str, Any]) -> str:
    half, most = recent["latency_p50_seconds"], recent["latency_p95_seconds"]
    return "" if half is None else f"; half of them {half:.1f} s after they were due, 95 % within {most:.1f} s"
