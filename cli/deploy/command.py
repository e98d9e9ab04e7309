"""`xnovu deploy status | set-current | set-unversioned | ramp | drained`."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.aligned import aligned
from cli.deploy.deployment import Deployment, Standing, UnknownBuild, Version
from cli.deploy.session import ask
from cli.failure import exit_with_hint
from cli.terminal import say, say_line
from shared.temporal.names import build_id

EXIT_REFUSED = 1
EXIT_NOT_DRAINED = 3
LOOK_EVERY_SECONDS = 0.5

app = typer.Typer(no_args_is_help=True, help="Builds of versioned workers: who gets the work (docs/versioning.md).")


def _build_id(value: str) -> str:
    try:
        return build_id(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Build = Annotated[
    str, typer.Argument(metavar="BUILD", callback=_build_id, help="An image digest (sha256:...), or a build id.")
]
Wait = Annotated[float, typer.Option("--wait", metavar="SECONDS", min=0, help="So long for its workers to poll.")]
AsJson = Annotated[bool, typer.Option("--json", help="One object (docs/versioning.md).")]


@app.command()
def status(as_json: AsJson = False) -> None:
    """Print every build of the deployment: who has the work, who polls, how many workflows are open.

    Exit 0; 2 for wrong settings, no such deployment, or no Temporal.
    """
    standing = ask(Deployment.standing)
    if as_json:
        _print_json({name: value for name, value in asdict(standing).items() if name != "conflict_token"})
        return
    for line in _lines(standing):
        say_line(line)


@app.command("set-current")
def set_current(build: Build, wait: Wait = 0, as_json: AsJson = False) -> None:
    """Have this build take every new workflow, and the running ones that are not pinned.

    Exit 0 also if it does already; 1 if no worker of this build polls; 2 for a build or deployment nobody knows, wrong
    settings, or no Temporal.
    """

    async def change(deployment: Deployment) -> str:
        standing = await _polled(deployment, build, wait)
        if standing.current == build and standing.ramping is None:
            return "already_current"
        await deployment.set_current(standing, build)
        return "set_current"

    _report(ask(change), as_json, build_id=build)


@app.command("set-unversioned")
def set_unversioned(wait: Wait = 0, as_json: AsJson = False) -> None:
    """Have workers without a version take every new workflow, and the running ones that are not pinned.

    That is how versions are switched off: until then workers without TEMPORAL_WORKER_DEPLOYMENT_NAME get nothing.
    Exit 0 also if they do already; 1 if none of them polls; 2 as set-current.
    """

    async def change(deployment: Deployment) -> str:
        standing = await _polled(deployment, None, wait)
        if standing.current is None and standing.ramping is None:
            return "already_unversioned"
        await deployment.set_current(standing, None)
        return "set_unversioned"

    _report(ask(change), as_json)


@app.command()
def ramp(
    build: Build,
    percent: Annotated[float, typer.Argument(min=0, max=100, metavar="PERCENT", help="0 to 100.")],
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Have this build take so many per cent of the workflows; the current one takes the rest.

    Exit 0 also if it does already; 1 if no worker of this build polls, or it is current; 2 as set-current.
    """

    async def change(deployment: Deployment) -> str:
        standing = await _polled(deployment, build, wait)
        if standing.current == build:
            exit_with_hint(
                f"Build {build} is current: it has all the work.",
                "ramp the other build; set-current of the current one ends a ramp.",
                EXIT_REFUSED,
            )
        if standing.ramping == build and standing.ramp_percent == percent:
            return "already_ramping"
        await deployment.ramp(standing, build, percent)
        return "ramping"

    _report(ask(change), as_json, build_id=build, percent=percent)


@app.command()
def drained(build: Build, as_json: AsJson = False) -> None:
    """Say whether this build's workers can be stopped: it gets no new work, and no workflow is left on it.

    Exit 0 if so; 3 if not (yet); 2 as set-current. Temporal looks every few minutes: a while passes until it says so.
    """

    async def look(deployment: Deployment) -> Version:
        return (await deployment.standing()).version(build)

    version = ask(look)
    is_drained = version.status in ("drained", "inactive", "created") and version.open_workflows == 0
    if as_json:
        _print_json({"drained": is_drained, **asdict(version)})
    else:
        verdict = "can be stopped" if is_drained else "is still needed"
        say(f"Build {build} {verdict}: {version.status}, {version.open_workflows} open workflows.")
    raise typer.Exit(0 if is_drained else EXIT_NOT_DRAINED)


async def _polled(deployment: Deployment, build: str | None, wait_seconds: float) -> Standing:
    """The deployment, once workers of this build (None: without a version) poll; leaves with a message if none do."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            standing = await deployment.standing()
            pollers = standing.unversioned_pollers if build is None else standing.version(build).pollers
        except UnknownBuild:
            if time.monotonic() >= deadline:
                raise
            pollers = 0
        if pollers:
            return standing
        if time.monotonic() >= deadline:
            workers = "worker without a version" if build is None else f"worker of build {build}"
            exit_with_hint(
                f"No {workers} polls task queue {deployment.task_queue}: its work would stand still.",
                "start its workers, or give --wait SECONDS.",
                EXIT_REFUSED,
            )
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def _report(result: str, as_json: bool, build_id: str | None = None, **facts: float) -> None:
    if as_json:
        _print_json({"result": result, **({"build_id": build_id} if build_id else {}), **facts})
    else:
        told = [result, *([build_id] if build_id else []), *(f"{name}={value:g}" for name, value in facts.items())]
        say(" ".join(told))


def _print_json(answer: Any) -> None:
    say(json.dumps(answer, indent=2))


def _lines(standing: Standing) -> Iterator[str]:
    current = standing.current or "none: workers without a version get the work"
    yield f"deployment {standing.deployment}: current {current}"
    yield ""
    yield from aligned(
        [
            ("build", "status", "ramp", "pollers", "open workflows", "since"),
            *(
                (
                    version.build_id,
                    version.status,
                    "-" if version.ramp_percent is None else f"{version.ramp_percent:g} %",
                    str(version.pollers),
                    str(version.open_workflows),
                    version.created_at,
                )
                for version in standing.versions
            ),
        ]
    )
