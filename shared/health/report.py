"""The answers of /health and /status, field by field as callers know them (docs/health.md)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
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
from shared.health.shown import MOST_SHOWN, Wanted, by_trouble, choose
from shared.health.thresholds import Thresholds
from shared.health.unfinished import UNKNOWN, Unfinished


@dataclass(frozen=True, slots=True)
class SubscriptionCounts:
    """Enterprises by state; those that are catching up are not active yet, and count as reconnecting, as do those of
    which nobody knows. Those that no listener has count as failed.
    """

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
            failed=counts[SubscriptionState.FAILED] + counts[SubscriptionState.UNHEARD],
            reconnecting=counts[SubscriptionState.RECONNECTING]
            + counts[SubscriptionState.CATCHING_UP]
            + counts[SubscriptionState.UNKNOWN],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """GET /health. `problems` are why it is not healthy; they are told with the rows that are `unfinished`: None where
    nobody knows.
    """

    uptime_seconds: int
    subscriptions: SubscriptionCounts
    enterprise_status: Mapping[str, SubscriptionState]
    orchestration: str
    problems: tuple[Problem, ...]
    unfinished: Unfinished | None

    @property
    def summary(self) -> str:
        """For people, on one line: the cause, what it holds up, and what to do."""
        if not self.problems:
            return "all is well"
        cause = self.problems[0]
        rows = UNKNOWN if self.unfinished is None else self.unfinished.sentence()
        told = f"{cause.part}: {cause.reason.rstrip('. ')}."
        return " ".join(each for each in (told, rows, f"Hint: {cause.do}") if each)

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
            **self._enterprises(),
            "temporal_status": {"status": temporal, "orchestrationWorkflow": self.orchestration},
            **(self.told() if self.problems else {}),
        }

    def told(self) -> dict[str, Any]:
        """Why it is as it is, causes first; the same in /health, as long as something is wrong, as in /status."""
        return {
            "summary": self.summary,
            "problems": [
                {
                    "component": problem.part,
                    "status": problem.condition,
                    "reason": problem.reason,
                    "do": problem.do,
                    "because_of": problem.because_of,
                }
                for problem in self.problems
            ],
            "unfinished": _unfinished(self.unfinished),
        }

    def _enterprises(self) -> dict[str, Any]:
        """All of them, as long as they are few; of more those in trouble first, and how many are left out."""
        if len(self.enterprise_status) <= MOST_SHOWN:
            return {"enterprise_status": dict(self.enterprise_status)}
        chosen = sorted(self.enterprise_status, key=by_trouble(self.enterprise_status, {}))[:MOST_SHOWN]
        return {
            "enterprise_status": {each: self.enterprise_status[each] for each in chosen},
            "enterprises_left_out": len(self.enterprise_status) - len(chosen),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """GET /status: the health, and what it was concluded from."""

    health: HealthReport
    observations: Observations
    observed_at: datetime

    def to_json(self, wanted: Wanted | None = None) -> dict[str, Any]:
        """The body of GET /status: all of /health and more, with the enterprises that are `wanted`. Times are RFC 3339
        in UTC.
        """
        seen = self.observations
        due = seen.database.due
        states = self.health.enterprise_status
        shown = choose({*states, *due}, states, due, wanted or Wanted(), self._troubled())
        process = seen.observer
        return {
            **self.health.to_json(),
            "observed_at": _text(self.observed_at),
            "version": process.version,
            "build": process.build,
            "process": _process(process),
            **self.health.told(),
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
            "enterprises": self._enterprises(shown.enterprise_ids),
            "enterprises_shown": shown.to_json(),
            "waiting_rows": self.health.unfinished and self.health.unfinished.waiting,
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
                    **({"template": failure.template} if failure.template else {}),
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
            "lost_processes": [
                {
                    "component": lost.component,
                    "id": lost.component_id,
                    "host": lost.host,
                    "pid": lost.pid,
                    "reported_at": _text(lost.reported_at),
                }
                for lost in seen.database.lost
            ],
            "rule_errors": [asdict(each) for each in seen.database.rule_errors],
        }

    def _troubled(self) -> frozenset[str]:
        """Enterprises with rules that cannot fire, or with rows that have been tried again for too long."""
        database, limit = self.observations.database, Thresholds().waiting_degraded
        late = {each.enterprise_id for each in database.retried if each.oldest_age_seconds >= limit}
        return frozenset(late.union(each.enterprise_id for each in database.rule_errors))

    def _enterprises(self, enterprise_ids: Collection[str]) -> dict[str, Any]:
        passes: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
        for each in self.observations.database.passes:
            passes[each.enterprise_id][f"{each.scheduler}_last_pass_at"] = _text(each.last_pass_at)
        return {each: self._enterprise(each, passes[each]) for each in enterprise_ids}

    def _enterprise(self, enterprise_id: str, passes: Mapping[str, str | None]) -> dict[str, Any]:
        """Of several listeners that serve the enterprise: sums, and the latest times; null where none names it."""
        seen = [
            listener.enterprises[enterprise_id]
            for listener in self.observations.listeners
            if enterprise_id in listener.enterprises
        ]
        due = self.observations.database.due.get(enterprise_id)
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


def _sums(seen: Collection[EnterpriseObservation]) -> dict[str, int | None]:
    names = ("recovered_by_sweep", "events_seen", "workflows_started")
    return {name: sum(getattr(each, name) for each in seen) if seen else None for name in names}


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


def _unfinished(unfinished: Unfinished | None) -> dict[str, Any] | None:
    return None if unfinished is None else {"rows": unfinished.rows, **asdict(unfinished)}


def _latest(instants: Iterable[datetime | None]) -> datetime | None:
    return max((instant for instant in instants if instant is not None), default=None)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
