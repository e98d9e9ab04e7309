"""`xnovu novu plan | apply | publish | check`."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.action import EXIT_SOMETHING_TO_DO, Action
from cli.asking import ask
from cli.commands import USAGE_ERROR
from cli.failure import exit_with_hint
from cli.novu.api import NovuEnvironment, NovuFailed
from cli.novu.apply import Applied, Applying, Done
from cli.novu.check import check_workflows
from cli.novu.findings import Finding
from cli.novu.plan import Plan, Wish, make_plan
from cli.novu.publish import Publication, compare
from cli.novu.publish import publish as carry_out
from cli.novu.rows import Scope
from cli.novu.session import EXIT_FAILED, configured_session, failures_told
from cli.novu.show import (
    environment_json,
    failures_json,
    plan_json,
    say_json,
    show_done,
    show_failures,
    show_findings,
    show_plan,
    show_publication,
    silent,
)
from cli.terminal import say_line


class _NovuGroup(TyperGroup):
    """Wrong usage is exit code 1 here, as every error: 2 says that there is something to do."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except USAGE_ERROR as error:
            error.exit_code = EXIT_FAILED
            raise


app = typer.Typer(cls=_NovuGroup, no_args_is_help=True, help="Novu's workflows, as our rows want them (docs/novu.md).")

Enterprise = Annotated[
    list[str] | None, typer.Option("--enterprise", metavar="ID", help="Only its rows; repeat it. Default: all.")
]
Static = Annotated[bool, typer.Option("--static", help="STATIC rows too: only that Novu has them, and active.")]
Adopt = Annotated[
    list[str] | None,
    typer.Option("--adopt", metavar="KEY|all", help="Take over a workflow that XNovu has not made; repeat it."),
]
Prune = Annotated[bool, typer.Option("--prune", help="Delete at Novu what belongs to no row any more.")]
Full = Annotated[bool, typer.Option("--full", help="Read every workflow, not only what has changed.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="One object (docs/novu.md).")]


@app.command()
def plan(
    enterprise: Enterprise = None,
    static: Static = False,
    adopt: Adopt = None,
    prune: Prune = False,
    full: Full = False,
    as_json: AsJson = False,
) -> None:
    """Show what `apply` would do at Novu. Nothing is changed.

    Exit 0 nothing to do, 2 something, 1 an error, or a workflow that is refused.
    """
    with failures_told():
        planned = asyncio.run(_plan(_wish(enterprise, static, adopt, prune, full)))
    if as_json:
        say_json(plan_json(planned))
    else:
        show_plan(planned)
    if planned.of(Action.REFUSED):
        raise typer.Exit(EXIT_FAILED)
    if planned.todo:
        raise typer.Exit(EXIT_SOMETHING_TO_DO)


@app.command()
def apply(
    enterprise: Enterprise = None,
    static: Static = False,
    adopt: Adopt = None,
    prune: Prune = False,
    full: Full = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make Novu's workflows what our rows want, after showing the plan and asking.

    Exit 0 done, or nothing to do; 1 an error, a workflow that is refused, or nobody who can be asked.
    """
    wish = _wish(enterprise, static, adopt, prune, full)
    with failures_told():
        planned = asyncio.run(_plan(wish))
    if not as_json:
        show_plan(planned)
    if planned.todo:
        ask(f"Change {len(planned.todo)} workflows in {planned.environment.name}?", yes=yes, as_json=as_json)
    with failures_told():
        applied = asyncio.run(_apply(planned, wish, silent if as_json else show_done))
    if as_json:
        say_json(plan_json(planned, applied))
    else:
        show_findings(applied.findings)
        show_failures(applied.failed)
        say_line(f"{len(applied.done)} of {len(planned.todo)} done.")
    if applied.failed or planned.of(Action.REFUSED):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def publish(
    to: Annotated[str, typer.Option("--to", metavar="ENVIRONMENT", help="Novu's environment, by its name or id.")],
    enterprise: Enterprise = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show it; exit 2 if there is something.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring what XNovu keeps from the key's environment to another, after showing the difference and asking.

    Exit 0 done, or nothing to do; 2 with --dry-run: there is something; 1 an error, or nobody who can be asked.
    """
    scope = Scope(tuple(enterprise) if enterprise else None)
    with failures_told():
        found = asyncio.run(_compare(to, scope))
    answer: dict[str, Any] = {
        "source": environment_json(found.source),
        "target": environment_json(found.target),
        "create": list(found.created),
        "update": {key: list(fields) for key, fields in found.updated.items()},
    }
    if not as_json:
        show_publication(found)
    if dry_run or not found.keys:
        if as_json:
            say_json(answer)
        raise typer.Exit(EXIT_SOMETHING_TO_DO if found.keys else 0)
    ask(f"Publish {len(found.keys)} workflows to {found.target.name}?", yes=yes, as_json=as_json)
    with failures_told():
        failed = asyncio.run(_publish(found, scope))
    if as_json:
        say_json({**answer, "failed": failures_json(failed)})
    else:
        show_failures(failed)
        say_line(f"{len(found.keys) - len(failed)} of {len(found.keys)} published.")
    if failed:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def check(enterprise: Enterprise = None, static: Static = False, as_json: AsJson = False) -> None:
    """Look whether Novu has what our rows need: workflows, active, a step for each channel, integrations.

    Silent and exit 0 when all is well; 2 if something is amiss, 1 an error.
    """
    scope = Scope(tuple(enterprise) if enterprise else None, static)
    with failures_told():
        environment, findings = asyncio.run(_check(scope))
    if as_json:
        say_json({"environment": environment_json(environment), "findings": [asdict(one) for one in findings]})
    else:
        show_findings(findings)
    if findings:
        raise typer.Exit(EXIT_SOMETHING_TO_DO)


def _wish(enterprise: Sequence[str] | None, static: bool, adopt: Sequence[str] | None, prune: bool, full: bool) -> Wish:
    if prune and enterprise:
        exit_with_hint(
            "--prune and --enterprise do not go together.",
            "whose a workflow was that belongs to no row is not known: leave --enterprise out.",
            EXIT_FAILED,
        )
    return Wish(Scope(tuple(enterprise) if enterprise else None, static), frozenset(adopt or ()), prune, full)


async def _plan(wish: Wish) -> Plan:
    async with configured_session(wish.scope.enterprise_ids) as (api, rows):
        return await make_plan(api, rows, wish)


async def _apply(planned: Plan, wish: Wish, done: Done) -> Applied:
    async with configured_session(wish.scope.enterprise_ids) as (api, rows):
        return await Applying(api, rows, planned, wish, done=done).run()


async def _compare(to: str, scope: Scope) -> Publication:
    async with configured_session(scope.enterprise_ids) as (api, rows):
        return await compare(api, rows, to, scope)


async def _publish(found: Publication, scope: Scope) -> dict[str, NovuFailed]:
    async with configured_session(scope.enterprise_ids) as (api, rows):
        return await carry_out(api, rows, found)


async def _check(scope: Scope) -> tuple[NovuEnvironment, list[Finding]]:
    async with configured_session(scope.enterprise_ids) as (api, rows):
        return await check_workflows(api, rows, scope)
