"""Sending rows that exist, and making rows to send (docs/functions.md)."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.service import RPCError

from functions.audit import AuditEntry
from functions.callers import Caller
from functions.content_rules import check_content
from functions.deliveries import TemporalDeliveries
from functions.problems import Problem, ProblemCode, dependency_unavailable
from functions.trigger_request import CreateAndSend, TriggerMany, TriggerOne, TriggerRequest
from shared.exception_text import describe
from shared.ports import (
    CreateRefusal,
    IdempotencyKey,
    KeyUse,
    NewNotification,
    StoreUnavailable,
    TriggerableNotification,
    TriggerStore,
)
from shared.temporal.starters import StartedRun

START_TIMEOUT_SECONDS = 3.0
"""Starting takes milliseconds. When Temporal does not answer the rows are stored all the same, and the listener's
sweep starts them."""

UNSENDABLE = frozenset({"FAILED", "RETRACTED"})

log = logging.getLogger("TemporalService")

_NOT_SERVED = "the enterprise is paused: nothing of it is sent until an operator resumes it"

_CREATE_PROBLEMS = {
    CreateRefusal.WORKFLOW_NOT_FOUND: (
        ProblemCode.WORKFLOW_NOT_FOUND,
        "workflowKey names no active workflow of the enterprise",
    ),
    CreateRefusal.INVALID_RECIPIENTS: (
        ProblemCode.INVALID_RECIPIENTS,
        "the database's recipients are of another type, such as uuid",
    ),
    CreateRefusal.REFUSED_BY_DATABASE: (
        ProblemCode.REFUSED_BY_DATABASE,
        "a constraint or trigger of the database refused the row",
    ),
    CreateRefusal.ENTERPRISE_NOT_SERVED: (ProblemCode.ENTERPRISE_NOT_SERVED, _NOT_SERVED),
    CreateRefusal.IDEMPOTENCY_CONFLICT: (
        ProblemCode.IDEMPOTENCY_CONFLICT,
        "the Idempotency-Key has been used for another request of the enterprise",
    ),
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The rows are stored and will be sent. `run` is None if that is left to the listener's sweep, or nothing was
    done: it was a dry run, or all `already_sent`. `scheduled_for` is the earliest instant to wait for, if all have to
    wait.
    """

    notification_ids: tuple[int, ...]
    run: StartedRun | None = None
    scheduled_for: datetime | None = None
    dry_run: bool = False
    already_sent: tuple[int, ...] = ()

    @property
    def is_left_to_the_sweep(self) -> bool:
        """Whether something is to be done that nobody has begun."""
        return self.run is None and not self.dry_run and set(self.already_sent) != set(self.notification_ids)

    def to_json(self) -> dict[str, Any]:
        """The answer's body."""
        answer: dict[str, Any] = {
            "success": True,
            "workflowId": None if self.run is None else self.run.workflow_id,
            "runId": None if self.run is None else self.run.run_id,
            "notificationIds": list(self.notification_ids),
        }
        if self.scheduled_for is not None:
            answer["scheduledFor"] = self.scheduled_for.isoformat().replace("+00:00", "Z")
        if self.dry_run:
            answer["dryRun"] = True
        if self.already_sent:
            answer["alreadySent"] = list(self.already_sent)
        return answer


class Trigger:
    """Carries out a request for a caller; what it learns on the way goes to the audit entry."""

    def __init__(self, store: TriggerStore, deliveries: TemporalDeliveries, *, any_subscriber_id: bool = False) -> None:
        self._store = store
        self._deliveries = deliveries
        self._any_subscriber_id = any_subscriber_id

    async def carry_out(
        self, request: TriggerRequest, key: IdempotencyKey | None, caller: Caller, audit: AuditEntry
    ) -> Accepted:
        """Raises Problem; unless it is `dependency_unavailable`, nothing was changed then."""
        audit.dry_run = request.dry_run
        audit.has_idempotency_key = key is not None
        try:
            if isinstance(request, CreateAndSend):
                audit.action = "create"
                return await self._create(request, key, caller, audit)
            audit.action = "send"
            return await self._send(request, key, caller, audit)
        except StoreUnavailable as error:
            log.warning("dependency_failed", extra={"dependency": "supabase", "reason": str(error)})
            raise dependency_unavailable(
                "supabase", "the database does not answer; repeat with the same Idempotency-Key"
            ) from None

    async def _create(
        self, request: CreateAndSend, key: IdempotencyKey | None, caller: Caller, audit: AuditEntry
    ) -> Accepted:
        if not caller.may_act_for(request.enterprise_id):
            raise Problem(ProblemCode.ENTERPRISE_NOT_ALLOWED, "the caller may not act for this enterprise")
        audit.enterprise_id = request.enterprise_id
        check_content(request, caller, any_subscriber_id=self._any_subscriber_id)
        created = await self._store.create(
            NewNotification(
                enterprise_id=request.enterprise_id,
                workflow_key=request.workflow_key,
                recipients=tuple(request.recipients),
                payload=request.payload,
                overrides=request.overrides,
                scheduled_for=request.scheduled_for,
            ),
            idempotency_key=key,
            dry_run=request.dry_run,
            started_by_caller=True,
        )
        if isinstance(created, CreateRefusal):
            raise Problem(*_CREATE_PROBLEMS[created])
        audit.repeated = created.repeated
        ids = () if created.notification_id is None else (created.notification_id,)
        audit.notification_ids = list(ids)
        if request.dry_run:
            return Accepted(ids, scheduled_for=request.scheduled_for, dry_run=True)
        if not created.due and request.scheduled_for is not None:
            run = await self._await_due(request.enterprise_id, request.scheduled_for)
        else:
            run = await self._start(request.enterprise_id, ids, only_once=True)
        return Accepted(ids, run, request.scheduled_for)

    async def _send(
        self, request: TriggerOne | TriggerMany, key: IdempotencyKey | None, caller: Caller, audit: AuditEntry
    ) -> Accepted:
        rows = await self._store.find(caller.enterprise_ids, request.ids)
        enterprise_id = _only_enterprise(request.ids, rows)
        audit.enterprise_id = enterprise_id
        audit.notification_ids = request.ids
        ids = tuple(row.id for row in rows)
        unsendable, served = _unsendable(rows), all(row.served for row in rows)
        only_look = request.dry_run or bool(unsendable) or not served
        use = await self._use_key(enterprise_id, key, ids[0], only_look=only_look)
        # A repeat is answered as the first was, whatever has become of the rows, or their enterprise, since.
        if not served and use is not KeyUse.REPEATED:
            raise Problem(ProblemCode.ENTERPRISE_NOT_SERVED, _NOT_SERVED)
        if unsendable and use is not KeyUse.REPEATED:
            raise Problem(
                ProblemCode.NOT_SENDABLE,
                "some of the notifications cannot be sent as they are",
                notifications=unsendable,
            )
        audit.repeated = use is KeyUse.REPEATED
        # A repeat of a call that had a key is told of that call's run; without one, a SENT row needs no other.
        already_sent = () if audit.repeated else tuple(row.id for row in rows if row.status == "SENT")
        open_rows = [row for row in rows if row.id not in already_sent]
        due = [row.id for row in open_rows if row.due]
        instants = [row.scheduled_for for row in open_rows if row.scheduled_for is not None and not row.due]
        scheduled_for = min(instants) if instants and not due else None
        if request.dry_run:
            return Accepted(ids, scheduled_for=scheduled_for, dry_run=True, already_sent=already_sent)
        waiting = await self._await_due(enterprise_id, min(instants)) if instants else None
        run = await self._start(enterprise_id, due, only_once=use is KeyUse.REPEATED) if due else waiting
        return Accepted(ids, run, scheduled_for, already_sent=already_sent)

    async def _use_key(
        self, enterprise_id: str, key: IdempotencyKey | None, first_id: int, *, only_look: bool
    ) -> KeyUse:
        if key is None:
            return KeyUse.FIRST
        use = await self._store.use_key(enterprise_id, key, notification_id=first_id, dry_run=only_look)
        if use is KeyUse.CONFLICT:
            raise Problem(*_CREATE_PROBLEMS[CreateRefusal.IDEMPOTENCY_CONFLICT])
        return use

    async def _start(
        self, enterprise_id: str, notification_ids: Collection[int], *, only_once: bool
    ) -> StartedRun | None:
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                return await self._deliveries.start_or_find(enterprise_id, notification_ids, only_once=only_once)
        except (RPCError, TimeoutError) as error:
            _left_to_the_sweep(error)
            return None

    async def _await_due(self, enterprise_id: str, instant: datetime) -> StartedRun | None:
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                return await self._deliveries.await_due(enterprise_id, instant)
        except (RPCError, TimeoutError) as error:
            _left_to_the_sweep(error)
            return None


def _left_to_the_sweep(error: Exception) -> None:
    log.warning("dependency_failed", extra={"dependency": "temporal", "reason": describe(error)[:300]})


def _only_enterprise(ids: Collection[int], rows: Collection[TriggerableNotification]) -> str:
    """Whose rows they are. Rows of enterprises that are not the caller's are as if they did not exist."""
    missing = sorted(set(ids) - {row.id for row in rows})
    if missing:
        raise Problem(
            ProblemCode.NOTIFICATION_NOT_FOUND, "some of the notifications do not exist", notificationIds=missing
        )
    enterprise_ids = {row.enterprise_id for row in rows}
    if len(enterprise_ids) > 1:
        raise Problem(ProblemCode.MIXED_ENTERPRISES, "the notifications belong to several enterprises: call for each")
    return enterprise_ids.pop()


def _unsendable(rows: Collection[TriggerableNotification]) -> dict[str, str]:
    """Why, by id. Rows that are SENT or being sent are fine: what is asked for has happened."""
    return {
        str(row.id): row.status if row.status in UNSENDABLE else "NOT_PUBLISHED"
        for row in rows
        if row.status in UNSENDABLE or (row.status == "PENDING" and not row.active)
    }
