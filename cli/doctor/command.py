"""The command: all checks, or one by its name."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from cli.doctor.database import check_clock, check_publication, check_supabase
from cli.doctor.network import check_network
from cli.doctor.novu import check_novu, check_novu_workflows
from cli.doctor.problem import Check, Problem
from cli.doctor.realtime import check_realtime
from cli.doctor.settings import check_settings
from cli.doctor.temporal import check_temporal
from cli.doctor.time_zones import check_time_zones
from cli.terminal import say, say_line
from shared.ports import StoreUnavailable
from shared.settings import SettingsError

EXIT_PROBLEMS = 1

CHECKS = (
    Check("settings", "Every setting the daemon needs is there and makes sense.", check_settings),
    Check("timezones", "The time-zone data of cron rules can be read.", check_time_zones),
    Check("network", "Names resolve, ports answer, certificates are believed.", check_network),
    Check("temporal", "Temporal answers, and the namespace is there.", check_temporal),
    Check("supabase", "The key is the service role's, and the schema is this release's.", check_supabase),
    Check("publication", "Row changes are published as Realtime needs them.", check_publication, needs=("supabase",)),
    Check("clock", "This machine's clock agrees with the database's.", check_clock, needs=("supabase",)),
    Check(
        "realtime",
        "The listener's subscription is confirmed, and a row that is written comes back.",
        check_realtime,
        needs=("supabase", "publication"),
    ),
    Check("novu", "Novu believes the key.", check_novu),
    Check(
        "workflows",
        "Novu has what DYNAMIC rows need: workflows, a step for each channel, integrations.",
        check_novu_workflows,
        needs=("supabase", "novu"),
    ),
)

app = typer.Typer(invoke_without_command=True)

_AsJson = Annotated[bool, typer.Option("--json", help="One object: problems, and the checks left out.")]


@dataclass(frozen=True, slots=True)
class _Findings:
    """What is wrong, by the check that found it; `skipped` could not be tried because of it."""

    problems: Sequence[tuple[str, Problem]]
    skipped: Sequence[str]


@app.callback()
def doctor(context: typer.Context, as_json: _AsJson = False) -> None:
    """Try everything XNovu needs. Silent and exit 0 when all is well; else a line for each problem, and exit 1."""
    if context.invoked_subcommand is None:
        _report(asyncio.run(_examine()), as_json)


def _command_of(check: Check) -> Callable[[bool], None]:
    def command(as_json: _AsJson = False) -> None:
        _report(asyncio.run(_examine_one(check)), as_json)

    return command


for _check in CHECKS:
    app.command(_check.name, help=_check.about)(_command_of(_check))


async def _examine() -> _Findings:
    """Those at the same time that wait for none of the others: servers that say nothing are waited for together."""
    found: dict[str, list[Problem] | None] = {}
    for together in _rounds():
        troubled = {problem.subject for problems in found.values() for problem in problems or ()}
        tried = [check for check in together if not troubled.intersection((check.name, *check.needs))]
        answers = await asyncio.gather(*map(_run_if_set, tried))
        found |= {check.name: None for check in together} | dict(zip([it.name for it in tried], answers, strict=True))
    return _Findings(
        [(check.name, problem) for check in CHECKS for problem in found[check.name] or ()],
        [check.name for check in CHECKS if found[check.name] is None],
    )


def _rounds() -> Iterator[Sequence[Check]]:
    """The first checks one by one, as each may be why the next fails; the others once all that they need is done."""
    first = {"settings", "timezones", "network"}
    yield from ([check] for check in CHECKS if check.name in first)
    done, left = set(first), [check for check in CHECKS if check.name not in first]
    while left:
        ready = [check for check in left if done.issuperset(check.needs)]
        yield ready
        done.update(check.name for check in ready)
        left = [check for check in left if check not in ready]


async def _run_if_set(check: Check) -> list[Problem] | None:
    """None where its settings are wrong: the first check has named them."""
    try:
        return await _run(check)
    except SettingsError:
        return None


async def _examine_one(check: Check) -> _Findings:
    try:
        problems = await _run(check)
    except SettingsError as error:
        hint = "docs/configuration.md says what it is for."
        problems = [Problem(line, hint, "settings") for line in error.problems]
    return _Findings([(check.name, problem) for problem in problems], [])


async def _run(check: Check) -> list[Problem]:
    """Raises SettingsError."""
    try:
        return await check.run()
    except StoreUnavailable as error:
        return [Problem(str(error), "xnovu doctor supabase", "supabase")]


def _report(findings: _Findings, as_json: bool) -> None:
    if as_json:
        answer = {
            "problems": [{"check": name, **asdict(problem)} for name, problem in findings.problems],
            "skipped": findings.skipped,
        }
        say(json.dumps(answer, indent=2))
    else:
        for name, problem in findings.problems:
            say_line(f"{name}: {problem.message.rstrip('.')}. Hint: {problem.hint}")
        if findings.skipped:
            say(f"Not tried because of that: {', '.join(findings.skipped)}.", err=True)
    if findings.problems:
        raise typer.Exit(EXIT_PROBLEMS)
