"""`xnovu daemon status`: how things stand, also when no daemon runs."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.aligned import aligned
from cli.daemon_record import DaemonBook, DaemonRecord
from cli.failure import failures_named
from cli.feed_report import feed_lines, report_feed
from cli.orchestration_report import OrchestrationCondition, OrchestrationReport, report_orchestration
from cli.terminal import say
from shared.settings import SettingsError, TemporalSettings
from shared.temporal.messages import OrchestrationState, SchedulerStatus

EXIT_NOT_RUNNING = 3

MOST_SCHEDULERS = 64
"""In the table for people."""

_ORCHESTRATION_UNKNOWN = (
    "orchestration: not looked for, as the settings here do not say where Temporal is (TEMPORAL_ADDRESS)",
)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One object; docs/scheduling.md lists its fields.")] = False,
) -> None:
    """Name this user's daemon, the orchestration's state, and what it sees.

    Exit 0 if the daemon runs, or the orchestration by another; 3 if nothing does, 2 for wrong settings.
    """
    daemon = DaemonBook().running()
    with failures_named():
        report = _report(daemon)
    feed = report_feed(daemon) if daemon else None
    if as_json:
        answer = {"daemon": daemon and asdict(daemon), "feed": feed, "orchestration": report and _object(report)}
        say(json.dumps(answer, indent=2))
    else:
        told = feed_lines(feed) if daemon else ()
        lines = _lines(report) if report else _ORCHESTRATION_UNKNOWN
        say("\n".join([*_daemon_lines(daemon), *told, *lines]))
    runs = daemon is not None or (report is not None and report.condition is OrchestrationCondition.RUNNING)
    raise typer.Exit(0 if runs else EXIT_NOT_RUNNING)


def _report(daemon: DaemonRecord | None) -> OrchestrationReport | None:
    """None where this shell's settings do not say where Temporal is, or a daemon runs though they are wrong.

    Raises:
        SettingsError: they are wrong, and no daemon runs.
    """
    try:
        return asyncio.run(report_orchestration(TemporalSettings.load()))
    except SettingsError:
        if daemon is None and os.environ.get("TEMPORAL_ADDRESS"):
            raise
        return None


def _daemon_lines(daemon: DaemonRecord | None) -> Iterator[str]:
    if daemon is None:
        yield "daemon: none of this user's is running here"
        return
    options = " ".join(daemon.options.arguments())
    yield f"daemon: running, process {daemon.pid}, health on port {daemon.health_port}" + (options and f" ({options})")
    if daemon.log_file:
        yield f"log: {daemon.log_file}"
    if daemon.options.dev:
        yield f"its settings, for other commands: . {DaemonBook().environment_file}"


def _object(report: OrchestrationReport) -> dict[str, Any]:
    """What --json prints: fields are added, never renamed or dropped."""
    return {
        "state": report.condition,
        "reason": report.reason,
        "started_at": _rfc3339(report.started_at),
        "ended_at": _rfc3339(report.ended_at),
        "last_poll_at": _rfc3339(report.last_poll_at),
        "observed": None if report.observed is None else _observed_object(report.observed),
    }


def _observed_object(observed: OrchestrationState) -> dict[str, Any]:
    return {
        "at": _rfc3339(observed.observed_at),
        "unaccounted_rows": observed.unaccounted_rows,
        "oldest_unaccounted_age_seconds": observed.oldest_unaccounted_age_seconds,
        "restarted": observed.restarted,
        "schedulers": [
            {
                "enterprise_id": _enterprise_id(scheduler),
                "scheduler": _name(scheduler),
                "state": scheduler.state,
                "last_pass_at": _rfc3339(scheduler.last_pass_at),
                "next_due_at": _rfc3339(scheduler.next_due_at),
            }
            for scheduler in observed.schedulers
        ],
    }


def _lines(report: OrchestrationReport) -> Iterator[str]:
    reason = f" ({report.reason})" if report.reason else ""
    yield f"orchestration: {report.condition}{reason}"
    for name, instant in (
        ("started", report.started_at),
        ("ended", report.ended_at),
        ("last poll of a worker", report.last_poll_at),
    ):
        if instant:
            yield f"{name}: {_rfc3339(instant)}"
    if report.observed:
        yield from _observed_lines(report.observed)
    if report.condition in (OrchestrationCondition.WAITING, OrchestrationCondition.STOPPED):
        yield "It goes on when a daemon is started: xnovu daemon start"


def _observed_lines(observed: OrchestrationState) -> Iterator[str]:
    if observed.observed_at is None:
        yield "it has not looked at its schedulers yet"
        return
    yield f"observed: {_rfc3339(observed.observed_at)}"
    oldest = f", the oldest for {observed.oldest_unaccounted_age_seconds:.0f} s" if observed.unaccounted_rows else ""
    yield f"unaccounted rows: {observed.unaccounted_rows}{oldest}"
    yield f"schedulers found missing and restarted: {observed.restarted}"
    yield ""
    yield from aligned(
        [
            ("enterprise", "scheduler", "state", "last pass", "next due"),
            *(
                (
                    _enterprise_id(it),
                    _name(it),
                    it.state,
                    _rfc3339(it.last_pass_at) or "never",
                    _rfc3339(it.next_due_at) or "nothing",
                )
                for it in observed.schedulers[:MOST_SCHEDULERS]
            ),
        ]
    )
    if len(observed.schedulers) > MOST_SCHEDULERS:
        yield f"and {len(observed.schedulers) - MOST_SCHEDULERS} more: --json has all"


def _name(scheduler: SchedulerStatus) -> str:
    """As in `cron-scheduling/<enterprise>`."""
    return scheduler.workflow_id.partition("/")[0]


def _enterprise_id(scheduler: SchedulerStatus) -> str:
    """`//7` stands for all in a shard, who share it."""
    return scheduler.workflow_id.partition("/")[2]


def _rfc3339(instant: datetime | str | None) -> str | None:
    """The instant, a text as Temporal brings it or not, in UTC and to the second."""
    if instant is None:
        return None
    moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
