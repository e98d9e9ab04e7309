"""A plan of files and what became of it: as lines for people, and as JSON for programs (docs/files.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from difflib import unified_diff
from itertools import islice
from typing import Any

from cli.action import MARKS, PAST, Action, counts, short
from cli.files.directory import Problem
from cli.files.kinds import DEFAULTS
from cli.files.plan import Change, EnterprisePlan, Step
from cli.files.validation import coming_firings
from cli.files.yaml_text import write_yaml
from cli.terminal import say_line

CONTEXT_LINES = 2
MOST_LINES = 200
"""Of one column's difference."""


def show_plan(plans: Sequence[EnterprisePlan]) -> None:
    """Every step that is something, by enterprise, every remark, and the counts."""
    for plan in plans:
        say_line(f"Enterprise {plan.enterprise_id}")
        for step in plan.steps:
            if step.action in MARKS:
                _show_step(step, plan.time_zone)
        for remark in plan.remarks:
            say_line(f"  ? {remark}", colour="yellow")
    say_line(f"Plan: {', '.join(counts(lambda action: sum(len(plan.of(action)) for plan in plans)))}.")


def show_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        say_line(f"  ! {problem}", err=True, colour="red")


def show_done(plan: EnterprisePlan) -> None:
    say_line(f"Enterprise {plan.enterprise_id}")
    for step in plan.todo:
        say_line(f"  {PAST[step.action]} {step.entry.subject}")


def plan_json(
    plans: Sequence[EnterprisePlan],
    problems: Sequence[Problem],
    unused: Sequence[str],
    applied: Sequence[str] | None = None,
    failed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Unchanged ones are only counted. `applied` and `failed` are enterprises."""
    answer: dict[str, Any] = {
        "summary": {action.value: sum(len(plan.of(action)) for plan in plans) for action in Action},
        "enterprises": [
            {
                "enterprise_id": plan.enterprise_id,
                "steps": [
                    _step_json(step, plan.time_zone) for step in plan.steps if step.action is not Action.UNCHANGED
                ],
                "remarks": plan.remarks,
            }
            for plan in plans
        ],
        "problems": [asdict(problem) for problem in problems],
        "unused_files": list(unused),
    }
    if applied is not None:
        answer["applied"] = list(applied)
        answer["failed"] = [{"enterprise_id": one, "message": why} for one, why in (failed or {}).items()]
    return answer


def _step_json(step: Step, time_zone: str | None) -> dict[str, Any]:
    return {
        "kind": step.entry.kind.value,
        step.entry.kind.identity: step.entry.identity,
        "action": step.action.value,
        "file": step.entry.file,
        "changes": [asdict(change) for change in step.changes],
        "firings": coming_firings(step.entry, time_zone),
    }


def _show_step(step: Step, time_zone: str | None) -> None:
    mark, colour = MARKS[step.action]
    detail = {
        Action.LEFT: ": is in no file: --prune marks it DELETED",
        Action.DELETE: ": is in no file: becomes DELETED",
    }.get(step.action, "")
    say_line(f"  {mark} {step.entry.subject}{detail}", colour=colour)
    if step.action in (Action.CREATE, Action.UPDATE):
        for change in step.changes:
            if step.row is not None or not _goes_without_saying(step, change):
                for line in difference(change):
                    say_line(f"      {line}", colour={"+": "green", "-": "red"}.get(line[:1]))
        if firings := coming_firings(step.entry, time_zone):
            say_line(f"      fires next at {', '.join(firings)}")


def _goes_without_saying(step: Step, change: Change) -> bool:
    """Of a new one: its key is in the line above, and the rest is what a file may leave out."""
    is_identity = change.column == step.entry.kind.identity
    return is_identity or change.after in (None, DEFAULTS.get(change.column), step.entry.identity)


def difference(change: Change) -> Iterator[str]:
    """Lines for a column: one for what fits into one, else those that differ, with some around them."""
    before, after = _lines(change.before), _lines(change.after)
    if len(before) < 2 and len(after) < 2 and not _is_long(change):
        yield f"{change.column}: {short(change.before)} -> {short(change.after)}"
        return
    yield f"{change.column}:"
    lines = list(islice(unified_diff(before, after, n=CONTEXT_LINES, lineterm=""), 2, None))
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"({len(lines) - MOST_LINES} more lines)"


def _is_long(change: Change) -> bool:
    return any(isinstance(value, dict | list) and value for value in (change.before, change.after))


def _lines(value: Any) -> list[str]:
    match value:
        case None:
            return []
        case str():
            # What ends otherwise is another text, and is to be seen.
            return value.split("\n")
        case dict() if value:
            return write_yaml(value).splitlines()
        case list() if value:
            return write_yaml({"": value}).splitlines()[1:]
        case _:
            return [short(value)]
