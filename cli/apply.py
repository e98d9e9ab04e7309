"""`xnovu apply`: workflows, templates and rules become what a directory of files says (docs/files.md)."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.action import EXIT_SOMETHING_TO_DO
from cli.asking import ask
from cli.failure import exit_with_hint
from cli.files.directory import Directory, Problem, read_directory
from cli.files.plan import EnterprisePlan, plan_enterprise
from cli.files.rows import Written
from cli.files.session import EXIT_FAILED, failures_told, file_rows, render_pool
from cli.files.show import plan_json, show_done, show_plan, show_problems
from cli.terminal import say, say_line
from shared.ports import StoreUnavailable
from shared.suggestion import did_you_mean

_SQLSTATES = {
    "23505": "a name or key that must be unique is another row's",
    "22P02": "a value is not of its column's type, such as an enterprise's id that is no uuid",
    "23503": "it refers to a row that is not there",
    "23514": "a check of the project refuses it",
}


def apply(
    directory: Annotated[Path, typer.Option("--file", "-f", metavar="DIR", help="The directory with the files.")],
    enterprise: Annotated[
        list[str] | None, typer.Option("--enterprise", metavar="ID", help="Only this one; repeat it. Default: all.")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Mark DELETED what is in no file of its enterprise.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show it; exit 2 if there is something.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object (docs/files.md).")] = False,
) -> None:
    """Write what the files say into the database, after checking all of it, showing the plan and asking.

    Exit 0 done, or nothing to do; 2 with --dry-run: there is something; 1 an error, something wrong in the files, or
    nobody who can be asked. With anything wrong nothing is written; an enterprise is written as a whole or not at all.
    """
    with failures_told():
        found = read_directory(directory)
        chosen = _chosen(found, directory, enterprise)
        problems = [problem for problem in found.problems if _concerns(problem, chosen, enterprise)]
        plans = [] if problems else asyncio.run(_plan(found, chosen, prune=prune))
    problems += [problem for plan in plans for problem in plan.problems]
    todo = [plan for plan in plans if plan.todo]
    if not as_json:
        show_plan(plans)
        for name in found.unused:
            say_line(f"  ? {name}: no template's body_file", colour="yellow")
    if problems:
        _refuse(plans, problems, found, as_json)
    if dry_run or not todo:
        if as_json:
            say(json.dumps(plan_json(plans, problems, found.unused), indent=2))
        raise typer.Exit(EXIT_SOMETHING_TO_DO if todo else 0)
    count = sum(len(plan.todo) for plan in todo)
    ask(f"Change {count} of {len(todo)} enterprises?", yes=yes, as_json=as_json)
    applied, failed = asyncio.run(_write(todo, as_json=as_json))
    if as_json:
        say(json.dumps(plan_json(plans, problems, found.unused, applied, failed), indent=2))
    for enterprise_id, reason in failed.items():
        say_line(f"Enterprise {enterprise_id}: {reason}", err=True, colour="red")
    if not as_json:
        say_line(f"{len(applied)} of {len(todo)} enterprises done.")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _chosen(found: Directory, directory: Path, enterprise: Sequence[str] | None) -> list[str]:
    missing = [name for name in enterprise or () if name not in found.enterprises]
    if missing:
        known = [*found.enterprises]
        hint = did_you_mean(missing[0], known) if known else "make one with xnovu export."
        exit_with_hint(f"--enterprise {missing[0]}: there is no {directory / missing[0]}.", hint, EXIT_FAILED)
    if not found.enterprises and not found.problems:
        exit_with_hint(
            f"{directory} holds no enterprise's directory.", "docs/files.md shows how it is laid out.", EXIT_FAILED
        )
    return sorted(set(enterprise)) if enterprise else sorted(found.enterprises)


def _concerns(problem: Problem, chosen: Sequence[str], enterprise: Sequence[str] | None) -> bool:
    return not enterprise or problem.file.partition("/")[0] in chosen


async def _plan(found: Directory, chosen: Sequence[str], *, prune: bool) -> list[EnterprisePlan]:
    async with file_rows() as rows, render_pool() as pool:
        return [await plan_enterprise(rows, pool, one, found, prune=prune) for one in chosen]


def _refuse(plans: Sequence[EnterprisePlan], problems: Sequence[Problem], found: Directory, as_json: bool) -> None:
    message, hint = f"Nothing was changed: {len(problems)} problems in the files.", "mend these first."
    if as_json:
        error = {"message": message, "hint": hint, "exit_code": EXIT_FAILED}
        say(json.dumps({"error": error, **plan_json(plans, problems, found.unused)}, indent=2))
    show_problems(problems)
    exit_with_hint(message, hint, EXIT_FAILED)


async def _write(todo: Sequence[EnterprisePlan], *, as_json: bool) -> tuple[list[str], dict[str, str]]:
    """Which enterprises were written, and what is known of others."""
    applied: list[str] = []
    failed: dict[str, str] = {}
    async with file_rows() as rows:
        for plan in todo:
            changes = [step.as_change() for step in plan.todo]
            try:
                written = await rows.write(plan.enterprise_id, plan.seen, changes)
            except StoreUnavailable as error:
                # It may have written all the same, and its answer be lost.
                failed[plan.enterprise_id] = f"nobody knows whether it was written; plan again: {error}"
                continue
            if reason := _reason(plan, written):
                failed[plan.enterprise_id] = f"nothing was written: {reason}"
                continue
            applied.append(plan.enterprise_id)
            if not as_json:
                show_done(plan)
    return applied, failed


def _reason(plan: EnterprisePlan, written: Written) -> str | None:
    if written.changed_meanwhile:
        return "somebody else has written there since the plan was made; plan again."
    if written.refused_at is None:
        return None
    subject = plan.todo[written.refused_at].entry.subject if written.refused_at < len(plan.todo) else "a change"
    why = _SQLSTATES.get(written.sqlstate or "", "the database refuses it")
    constraint = f", {written.constraint}" if written.constraint else ""
    return f"{subject}: {why} ({written.sqlstate}{constraint})."
