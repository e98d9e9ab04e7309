"""What `xnovu daemon health` says to people: the answer of GET /status, what is wrong first. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

MOST_NAMED = 10


def health_lines(status: Mapping[str, Any]) -> Iterator[str]:
    """`status` is the body of GET /status (docs/health.md). The first line names the cause, if anything is wrong."""
    yield f"{status['status']}: {status['summary']}"
    for problem in status["problems"][1:]:
        told = f"{problem['component']} {problem['status']}: {problem['reason'].rstrip('. ')}"
        yield f"  {told}" if problem["because_of"] else f"{told}. Hint: {problem['do']}"
    yield ""
    yield f"up for {status['uptime']} s"
    for name, value in status["components"].items():
        said = ", ".join(f"{count} {what}" for what, count in value.items()) if isinstance(value, dict) else value
        yield f"{name}: {said}"
    yield f"orchestration workflow: {status['temporal_status']['orchestrationWorkflow']}"
    yield from _enterprises(status)
    yield ""
    yield from _pace(status)


def _enterprises(status: Mapping[str, Any]) -> Iterator[str]:
    """By state; of each so many by name: those in trouble come first."""
    by_state: defaultdict[str, list[str]] = defaultdict(list)
    for enterprise_id, state in status["enterprise_status"].items():
        by_state[state].append(enterprise_id)
    for state, names in by_state.items():
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        yield f"{state}: {', '.join(names[:MOST_NAMED])}{more}"
    if left_out := status.get("enterprises_left_out"):
        yield f"and {left_out} more, none of them in more trouble; /status?search= finds one"


def _pace(status: Mapping[str, Any]) -> Iterator[str]:
    """How fast it goes, and what waits where."""
    recent = status["recent"]
    yield f"last {recent['seconds']:g} s: {recent['sent']} sent, {recent['failed']} failed" + _latency(recent)
    yield from _became(status["delivery"])
    yield from _unfinished(status)
    for code, retried in _retried(status).items():
        yield f"keep failing: {retried['rows']} ({code}), the oldest for {retried['oldest_age_seconds']:.1f} s"
    for kind, queue in status["task_queues"].items():
        if queue["backlog"]:
            age = queue["backlog_age_seconds"]
            yield f"waiting for a worker: {queue['backlog']} {kind} tasks, the oldest for {age:.1f} s"
    counts = Counter(process["component"] for process in status["processes"])
    cpu_percent = {(process["host"], process["pid"]): process["cpu_percent"] for process in status["processes"]}
    reporting = ", ".join(f"{count} {component}{'s' * (count != 1)}" for component, count in sorted(counts.items()))
    yield f"reporting: {reporting or 'nobody'}; busy {sum(cpu_percent.values()):.0f} % of a core"


def _unfinished(status: Mapping[str, Any]) -> Iterator[str]:
    """Rows that are due and have not ended, and whose the most of those are that nobody has."""
    unfinished = status["unfinished"]
    if unfinished is None:
        yield "due and not ended: unknown, as the database does not answer"
        return
    if not unfinished["rows"]:
        return
    waiting, in_hands = unfinished["waiting"], unfinished["in_hands"]
    yield f"due and not ended: {waiting} not taken up, {in_hands} in a worker's hands"
    late = {name: each for name, each in status["enterprises"].items() if each["due_rows"]}
    for name in sorted(late, key=lambda it: -late[it]["oldest_due_age_seconds"])[:MOST_NAMED]:
        age = late[name]["oldest_due_age_seconds"]
        yield f"due and not taken up: {name} {late[name]['due_rows']}, the oldest for {age:.1f} s"
    if len(late) > MOST_NAMED:
        yield f"due and not taken up: {len(late) - MOST_NAMED} enterprises more, whose rows wait less long"


def _retried(status: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """By code, over all enterprises."""
    by_code: dict[str, dict[str, float]] = {}
    for retried in status["retried"]:
        known = by_code.setdefault(retried["code"], {"rows": 0, "oldest_age_seconds": 0.0})
        known["rows"] += retried["rows"]
        known["oldest_age_seconds"] = max(known["oldest_age_seconds"], retried["oldest_age_seconds"])
    return by_code


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
