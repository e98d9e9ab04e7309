"""A plan, what became of it, and findings: as lines for people, and as JSON for programs (docs/novu.md)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from cli.action import MARKS, PAST, Action, counts, short
from cli.novu.api import NovuEnvironment, NovuFailed
from cli.novu.apply import Applied
from cli.novu.diff import Change
from cli.novu.findings import Finding
from cli.novu.plan import Plan, Step
from cli.novu.publish import Publication
from cli.terminal import say, say_line


def show_plan(plan: Plan) -> None:
    """Every step that is something, every finding, and the counts."""
    say_line(f"Novu's environment {plan.environment.name} ({plan.environment.kind})")
    for step in plan.steps:
        if step.action in MARKS:
            show_step(step)
    show_findings(plan.findings)
    say_line(f"Plan: {', '.join(_counts(plan))}.")


def show_step(step: Step) -> None:
    mark, colour = MARKS[step.action]
    detail = step.reason or (", ".join(step.desired.channels) if step.desired and not step.changes else "")
    say_line(f"  {mark} {step.key}{': ' if detail else ''}{detail}", colour=colour)
    for change in step.changes:
        say_line(f"      {_change(change)}")


def show_done(step: Step) -> None:
    """One step that was carried out just now."""
    say_line(f"  {PAST[step.action]} {step.key}")


def silent(_: Step) -> None:
    """Instead of it, where the answer is JSON."""


def show_findings(findings: Sequence[Finding]) -> None:
    for one in findings:
        subject = f"{one.key}: " if one.key else ""
        hint = f". Hint: {one.hint}" if one.hint else ""
        say_line(f"  ? {subject}{one.message.rstrip('.')}{hint}", colour="yellow")


def show_failures(failed: dict[str, NovuFailed]) -> None:
    for key, failure in failed.items():
        say_line(f"{key}: {failure}\nHint: {failure.hint}".replace("\n", ". "), err=True, colour="red")


def show_publication(publication: Publication) -> None:
    say_line(f"From {publication.source.name} to {publication.target.name}")
    for key in publication.created:
        say_line(f"  + {key}", colour="green")
    for key, fields in publication.updated.items():
        say_line(f"  ~ {key}{': ' if fields else ''}{', '.join(fields)}", colour="yellow")
    say_line(f"Plan: {len(publication.created)} to create, {len(publication.updated)} to update.")


def plan_json(plan: Plan, applied: Applied | None = None) -> dict[str, Any]:
    """Unchanged workflows are only counted; `applied` says what of the plan was done."""
    findings = [*plan.findings, *(applied.findings if applied else ())]
    answer: dict[str, Any] = {
        "environment": environment_json(plan.environment),
        "summary": {action.value: len(plan.of(action)) for action in Action} | {"elsewhere": plan.elsewhere},
        "workflows": [_step_json(step) for step in plan.steps if step.action is not Action.UNCHANGED],
        "findings": [asdict(one) for one in findings],
    }
    if applied:
        answer["applied"] = [step.key for step in applied.done]
        answer["failed"] = failures_json(applied.failed)
    return answer


def environment_json(environment: NovuEnvironment) -> dict[str, str]:
    return {"id": environment.id, "name": environment.name, "type": environment.kind}


def failures_json(failed: dict[str, NovuFailed]) -> list[dict[str, Any]]:
    return [{"workflow_key": key, "message": str(one), "hint": one.hint} for key, one in failed.items()]


def say_json(answer: dict[str, Any]) -> None:
    say(json.dumps(answer, indent=2))


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "workflow_key": step.key,
        "action": step.action.value,
        "enterprise_ids": list(step.desired.enterprise_ids) if step.desired else [],
        "channels": list(step.desired.channels) if step.desired else [],
        "changes": [asdict(change) for change in step.changes],
        "reason": step.reason,
    }


def _counts(plan: Plan) -> Iterator[str]:
    yield from counts(lambda action: len(plan.of(action)))
    if plan.elsewhere:
        yield f"{plan.elsewhere} kept from elsewhere"


def _change(change: Change) -> str:
    if change.before is None and isinstance(change.after, str) and change.path.count(".") == 1:
        return f"+ {change.path} ({change.after})"
    if change.after is None and change.path.count(".") == 1:
        return f"- {change.path} ({change.before})"
    return f"{change.path}: {short(change.before)} -> {short(change.after)}"
