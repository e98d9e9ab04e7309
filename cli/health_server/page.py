"""The status page: what /status tells, for people."""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from cli.health_server import view
from cli.health_server.history import Sample
from cli.health_server.plot import HEIGHT, WIDTH, plot
from shared.health.condition import Condition, worst
from shared.temporal.names import MASTER_ORCHESTRATION_ID, cron_scheduling_id, scheduled_notification_id

REFRESH_EVERY_SECONDS = 3


class StatusPage:
    """Renders the page. `temporal_ui_url` and `inbox_url`, where messages of a stand-in for Novu are shown, make links
    where they are given.
    """

    def __init__(self, temporal_ui_url: str | None, namespace: str, inbox_url: str | None = None) -> None:
        self._inbox_url = inbox_url
        self._workflows_url = (
            None if temporal_ui_url is None else f"{temporal_ui_url}/namespaces/{quote(namespace, safe='')}/workflows"
        )
        environment = Environment(
            loader=PackageLoader("cli.health_server"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"duration": duration, "size": size, "ago": ago, "number": number}
        environment.tests["command"] = re.compile(r"xnovu [a-z -]+").fullmatch
        environment.globals |= {
            "workflow_url": self._workflow_url,
            "page_url": page_url,
            "width": WIDTH,
            "height": HEIGHT,
        }
        self._template = environment.get_template("status.html")

    def render(self, status: dict[str, Any], samples: Sequence[Sample], now: datetime) -> tuple[str, str]:
        """The page, and the only Content-Security-Policy under which it works: nothing in it comes from elsewhere."""
        nonce = secrets.token_urlsafe(16)
        page = self._template.render(
            status=status,
            plots=_plots(samples, now),
            now=now,
            nonce=nonce,
            subscriptions_status=_status_of("subscriptions", status),
            causes=view.causes(status["problems"]),
            held_up=view.held_up(status),
            told=view.told(status),
            enterprises=view.enterprises(status),
            few=view.FEW,
            retried=view.retried_by_code(status),
            failures=list(view.grouped_failures(status["last_errors"])),
            database_old=view.old_since(status, "supabase"),
            temporal_old=view.old_since(status, "temporal"),
            inbox_url=self._inbox_url,
            refresh_ms=REFRESH_EVERY_SECONDS * 1000,
            workflows_url=self._workflows_url,
            orchestration_id=MASTER_ORCHESTRATION_ID,
            cron_id=cron_scheduling_id,
            scheduled_id=scheduled_notification_id,
        )
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self';"
            " img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        return page, policy

    def _workflow_url(self, workflow_id: str) -> str | None:
        return None if self._workflows_url is None else f"{self._workflows_url}/{quote(workflow_id, safe='')}"


def page_url(shown: Mapping[str, Any], page: int) -> str:
    """Another page of the same enterprises."""
    return "/status?" + urlencode({"search": shown["search"], "page": page})


def _status_of(component: str, status: dict[str, Any]) -> Condition:
    """For a component that the contract gives counts instead of a word."""
    return worst(Condition(it["status"]) for it in status["problems"] if it["component"] == component)


def duration(seconds: float) -> str:
    """A duration in its two largest units, the smaller one left out where it is 0."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size_of_unit, unit, smaller, below in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size_of_unit:
            rest = int(seconds % size_of_unit // smaller)
            return f"{seconds // size_of_unit:.0f} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{seconds:.0f} s"


def ago(instant: str | None, now: datetime) -> str:
    """How long ago an instant of /status was, to the second."""
    if instant is None:
        return "never"
    seconds = (now - datetime.fromisoformat(instant).astimezone(UTC)).total_seconds()
    if seconds < 60:
        return f"{seconds:.0f} s ago" if seconds >= 1 else "now"
    return f"{duration(seconds)} ago"


def size(size_bytes: int) -> str:
    """Bytes, in MiB."""
    return f"{size_bytes / 2**20:.0f} MiB"


def number(value: float) -> str:
    """Up to three significant digits, thousands apart; integers whole."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _plots(samples: Sequence[Sample], now: datetime) -> list[Any]:
    return [
        plot(
            "Throughput",
            "per minute",
            samples,
            [("sent", lambda it: it.sent_per_minute), ("failed", lambda it: it.failed_per_minute)],
            now=now,
            at_least=10,
        ),
        plot(
            "Latency",
            "s, due until sent",
            samples,
            [("median", lambda it: it.latency_p50_seconds), ("95 %", lambda it: it.latency_p95_seconds)],
            now=now,
            at_least=0.5,
        ),
        plot(
            "Waiting",
            "rows, due and in nobody's hands",
            samples,
            [("rows", lambda it: it.waiting_rows)],
            now=now,
            at_least=10,
        ),
    ]
