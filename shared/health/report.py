"""The answers of /health and /status, field by field as callers know them (docs/health.md)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from shared.health.condition import Condition, Part, Problem, worst
from shared.health.observations import (
    EnterpriseObservation,
    FailingPart,
    Observations,
    ProcessObservation,
    SubscriptionState,
)


@dataclass(frozen=True, slots=True)
class SubscriptionCounts:
    """Enterprises by state; those that are catching up are not active yet, and count as reconnecting."""

    total: int
    active: int
    failed: int
    reconnecting: int

    @classmethod
    def of(cls, states: Iterable[SubscriptionState]) -> Self:
        """Count them."""
        counts = Counter(states)
        return cls(
            total=counts.total(),
            active=counts[SubscriptionState.SUBSCRIBED],
            failed=counts[SubscriptionState.FAILED],
            reconnecting=counts[SubscriptionState.RECONNECTING] + counts[SubscriptionState.CATCHING_UP],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """GET /health. `problems` are why it is not healthy; they are told in /status."""

    uptime_seconds: int
    subscriptions: SubscriptionCounts
    enterprise_status: Mapping[str, SubscriptionState]
    orchestration: str
    problems: tuple[Problem, ...]

    @property
    def status(self) -> Condition:
        """The worst of all parts."""
        return worst(problem.condition for problem in self.problems)

    @property
    def http_status(self) -> int:
        """200 for healthy and degraded, 503 for unhealthy."""
        return 503 if self.status is Condition.UNHEALTHY else 200

    def condition_of(self, *parts: Part) -> Condition:
        """The worst condition of these parts."""
        return worst(problem.condition for problem in self.problems if problem.part in parts)

    def to_json(self) -> dict[str, Any]:
        """The body of GET /health."""
        temporal = self.condition_of(Part.TEMPORAL)
        return {
            "status": self.status,
            "uptime": self.uptime_seconds,
            "components": {
                "subscriptions": asdict(self.subscriptions),
                "ruleEngine": self.condition_of(Part.RULE_ENGINE),
                # The contract has no line of their own for these: without them, the queue does not move.
                "queue": self.condition_of(Part.QUEUE, Part.SUPABASE, Part.NOVU, Part.PROCESSES),
                "temporal": temporal,
            },
            "enterprise_status": dict(self.enterprise_status),
            "temporal_status": {"status": temporal, "orchestrationWorkflow": self.orchestration},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """GET /status: the health, and what it was concluded from."""

    health: HealthReport
    observations: Observations
    observed_at: datetime

    def to_json(self) -> dict[str, Any]:
        """The body of GET /status: all of /health and more. Times are RFC 3339 in UTC."""
        seen = self.observations
        process = seen.observer
        return {
            **self.health.to_json(),
            "observed_at": _text(self.observed_at),
            "version": process.version,
            "build": process.build,
            "process": _process(process),
            "problems": [
                {"component": problem.part, "status": problem.condition, "reason": problem.reason}
                for problem in self.health.problems
            ],
            "dependencies": {
                "supabase": {
                    "status": self.health.condition_of(Part.SUPABASE),
                    "last_answer_at": _text(seen.database.answered_at),
                },
                "temporal": {
                    "status": self.health.condition_of(Part.TEMPORAL),
                    "last_answer_at": _text(seen.temporal.answered_at),
                },
                "novu": {"status": self.health.condition_of(Part.NOVU), **self._novu()},
            },
            "feed": self._feed(),
            "enterprises": {enterprise_id: self._enterprise(enterprise_id) for enterprise_id in self._enterprise_ids()},
            "task_queue": seen.temporal.task_queue,
            "task_queues": {
                kind: {**asdict(queue), "last_poll_at": _text(queue.last_poll_at)}
                for kind, queue in seen.temporal.task_queues.items()
            },
            "deliveries": self._deliveries(),
            "retried": [asdict(each) for each in seen.database.retried],
            "recent": asdict(seen.database.recent),
            "delivery": asdict(seen.database.delivery),
            "last_errors": [
                {
                    "notification_id": failure.notification_id,
                    "enterprise_id": failure.enterprise_id,
                    "code": failure.code,
                    "at": _text(failure.failed_at),
                }
                for failure in seen.database.failures
            ],
            "processes": [
                {
                    "component": report.component,
                    "id": report.component_id,
                    "reported_at": _text(report.reported_at),
                    **_process(report.process),
                    **({"shards": list(report.listener.shards)} if report.listener else {}),
                    "failing": [_failing(part) for part in report.failing],
                }
                for report in seen.components
            ],
            "failing": [_failing(part) for part in seen.failing],
        }

    def _enterprise_ids(self) -> list[str]:
        return sorted({*self.health.enterprise_status, *self.observations.database.due})

    def _enterprise(self, enterprise_id: str) -> dict[str, Any]:
        """Of several listeners that serve the enterprise: sums, and the latest times."""
        seen = [
            listener.enterprises[enterprise_id]
            for listener in self.observations.listeners
            if enterprise_id in listener.enterprises
        ]
        due = self.observations.database.due.get(enterprise_id)
        passes = {
            f"{each.scheduler}_last_pass_at": _text(each.last_pass_at)
            for each in self.observations.database.passes
            if each.enterprise_id == enterprise_id
        }
        return {
            "status": self.health.enterprise_status.get(enterprise_id),
            "last_event_at": _text(_latest(each.last_event_at for each in seen)),
            "last_sweep_at": _text(_latest(each.last_sweep_at for each in seen)),
            **_sums(seen),
            "due_rows": due.rows if due else 0,
            "oldest_due_age_seconds": round(due.oldest_age_seconds, 1) if due else 0.0,
            "cron_last_pass_at": None,
            "scheduled_last_pass_at": None,
            **passes,
        }

    def _feed(self) -> dict[str, Any]:
        """How row changes come: of all listeners together, the latest proof and the errors of each."""
        listeners = self.observations.listeners
        return {
            "heard": self.health.subscriptions.active,
            "total": self.health.subscriptions.total,
            "ways": sorted({each.way for each in listeners if each.way}),
            "last_proof_of_life_at": _text(_latest(each.last_proof_of_life for each in listeners)),
            "reconnects": sum(each.reconnects for each in listeners),
            "last_errors": sorted({each.last_error for each in listeners if each.last_error}),
            "flaws": sorted({flaw for each in listeners for flaw in each.flaws}),
        }

    def _deliveries(self) -> dict[str, Any]:
        """Outcomes written since the running workers started."""
        failed: Counter[str] = Counter()
        for worker in self.observations.workers:
            failed.update(worker.failed)
        return {
            "sent": sum(worker.sent for worker in self.observations.workers),
            "failed": dict(sorted(failed.items())),
        }

    def _novu(self) -> dict[str, Any]:
        answers = [worker.novu for worker in self.observations.workers]
        return {
            "accepted": sum(each.accepted for each in answers),
            "refused": sum(each.refused for each in answers),
            "faults": sum(each.faults for each in answers),
            "last_call_at": _text(_latest(each.last_call_at for each in answers)),
        }


def _sums(seen: Iterable[EnterpriseObservation]) -> dict[str, int]:
    totals = {"recovered_by_sweep": 0, "events_seen": 0, "workflows_started": 0}
    for each in seen:
        for name in totals:
            totals[name] += getattr(each, name)
    return totals


def _process(process: ProcessObservation) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "host": process.host,
        "started_at": _text(process.started_at),
        "memory_bytes": process.memory_bytes,
        "cpu_percent": process.cpu_percent,
    }


def _failing(part: FailingPart) -> dict[str, Any]:
    return {**asdict(part), "failing_since": _text(part.failing_since)}


def _latest(instants: Iterable[datetime | None]) -> datetime | None:
    return max((instant for instant in instants if instant is not None), default=None)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
