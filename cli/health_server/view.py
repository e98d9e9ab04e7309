"""What the status page makes of /status: causes with their consequences, who is unwell, failures of one kind. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.health.condition import Condition
from shared.health.observations import SubscriptionState
from shared.health.thresholds import Thresholds
from shared.health.unfinished import UNKNOWN, Unfinished
from shared.health.wording import counted

FEW = 10
"""So many enterprises that are in trouble, or so many in all, are shown without being asked for."""

MOST_IDS = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """A problem that no other brings about, and those that it does."""

    problem: Mapping[str, Any]
    effects: Sequence[Mapping[str, Any]]


def causes(problems: Sequence[Mapping[str, Any]]) -> list[Cause]:
    """As /status tells them: each cause is followed by its consequences."""
    found: list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]] = []
    for problem in problems:
        if problem["because_of"] is None or not found:
            found.append((problem, []))
        else:
            found[-1][1].append(problem)
    return [Cause(problem, effects) for problem, effects in found]


def held_up(status: Mapping[str, Any]) -> str:
    """What trouble holds up, for people; empty without trouble, and where nothing is held up."""
    if not status["problems"]:
        return ""
    unfinished = status["unfinished"]
    if unfinished is None:
        return UNKNOWN
    sentence = Unfinished(**{name: value for name, value in unfinished.items() if name != "rows"}).sentence()
    return sentence[:1].upper() + sentence[1:]


def told(status: Mapping[str, Any]) -> str:
    """The condition and its causes without figures: it changes only when there is something to announce."""
    components = dict.fromkeys(cause.problem["component"] for cause in causes(status["problems"]))
    return f"{status['status']}{': ' if components else ''}{', '.join(components)}"


@dataclass(frozen=True, slots=True)
class Enterprises:
    """Those of a page of /status by how they are: in trouble, of whom so many are shown openly, or well."""

    unwell: Mapping[str, Mapping[str, Any]]
    more_unwell: Mapping[str, Mapping[str, Any]]
    well: Mapping[str, Mapping[str, Any]]
    ails: Mapping[str, Sequence[str]]


def enterprises(status: Mapping[str, Any]) -> Enterprises:
    """Unwell is who is not subscribed, whose rows wait or are tried again for too long, or whose rules cannot fire."""
    limit = Thresholds().waiting_degraded
    ails: defaultdict[str, list[str]] = defaultdict(list)
    for retried in status["retried"]:
        if retried["oldest_age_seconds"] >= limit:
            rows = counted(retried["rows"], "row is", "rows are")
            ails[retried["enterprise_id"]].append(f"{rows} being tried again ({retried['code']})")
    for wrong in status["rule_errors"]:
        ails[wrong["enterprise_id"]].append(f"{counted(wrong['rules'], 'rule')} cannot fire")
    shown: Mapping[str, Mapping[str, Any]] = status["enterprises"]
    unwell = [
        name
        for name, each in shown.items()
        if each["status"] != SubscriptionState.SUBSCRIBED
        or (each["due_rows"] and each["oldest_due_age_seconds"] >= limit)
        or name in ails
    ]
    return Enterprises(
        _those(shown, unwell[:FEW]),
        _those(shown, unwell[FEW:]),
        {name: each for name, each in shown.items() if name not in unwell},
        ails,
    )


def _those(shown: Mapping[str, Mapping[str, Any]], names: Collection[str]) -> dict[str, Mapping[str, Any]]:
    return {name: shown[name] for name in names}


@dataclass(frozen=True, slots=True)
class Retried:
    """Deliveries that met a fault of this code and are tried again; `at_least`: there may be more rows."""

    code: str
    rows: int
    enterprises: int
    oldest_age_seconds: float
    at_least: bool


def retried_by_code(status: Mapping[str, Any]) -> list[Retried]:
    """The most rows first."""
    by_code: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in status["retried"]:
        by_code[each["code"]].append(each)
    return sorted((_retried(code, each) for code, each in by_code.items()), key=lambda it: -it.rows)


def _retried(code: str, retried: Sequence[Mapping[str, Any]]) -> Retried:
    return Retried(
        code,
        sum(each["rows"] for each in retried),
        len({each["enterprise_id"] for each in retried}),
        max(each["oldest_age_seconds"] for each in retried),
        any(each["rows"] >= 1000 for each in retried),
    )


@dataclass(frozen=True, slots=True)
class Failures:
    """The latest failures of one code and template: how many, whose, the latest's instant, and the latest few ids."""

    code: str
    template: str | None
    count: int
    enterprises: Sequence[str]
    latest_at: str | None
    notification_ids: Sequence[int]


def grouped_failures(last_errors: Sequence[Mapping[str, Any]]) -> Iterator[Failures]:
    """By code and template, the group with the latest failure first."""
    groups: defaultdict[tuple[str, str | None], list[Mapping[str, Any]]] = defaultdict(list)
    for failure in last_errors:
        groups[failure["code"], failure.get("template")].append(failure)
    for (code, template), failures in groups.items():
        yield Failures(
            code,
            template,
            len(failures),
            list(dict.fromkeys(failure["enterprise_id"] for failure in failures)),
            failures[0]["at"],
            [failure["notification_id"] for failure in failures[:MOST_IDS]],
        )


def old_since(status: Mapping[str, Any], dependency: str) -> str | None:
    """Of when the figures of "supabase" or "temporal" are, if it has not answered the latest look; else None."""
    seen: Mapping[str, str | None] = status["dependencies"][dependency]
    return None if seen["status"] == Condition.HEALTHY else seen["last_answer_at"]
