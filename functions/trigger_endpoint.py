"""The trigger function's HTTP: who calls, what they ask, what they are answered, and the audit line of each call."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError

from functions.audit import AuditEntry
from functions.callers import Caller, Callers
from functions.connections import Connections
from functions.deliveries import TemporalDeliveries
from functions.json_body import read_json
from functions.problems import Problem, ProblemCode, dependency_unavailable
from functions.rates import Rates
from functions.trigger import Trigger
from functions.trigger_request import (
    parse_dry_run,
    parse_idempotency_key,
    parse_state_query,
    parse_trigger_request,
)
from shared.supabase.trigger_store import SupabaseTriggerStore

log = logging.getLogger("TemporalService")

_STRANGERS = ""
"""No caller has this name."""


class TriggerEndpoint:
    """POST sends, GET tells how a run stands."""

    def __init__(
        self,
        callers: Callers,
        rates: Rates,
        connections: Connections,
        task_queue: str,
        *,
        any_subscriber_id: bool = False,
        shares_schedulers: bool = False,
    ) -> None:
        """`shares_schedulers`: enterprises have no schedulers of their own, but share those of their shard."""
        self._callers = callers
        self._rates = rates
        self._connections = connections
        self._task_queue = task_queue
        self._any_subscriber_id = any_subscriber_id
        self._shares_schedulers = shares_schedulers

    async def post(self, request: Request) -> Response:
        """Send rows that exist, or make one and send it."""
        return await self._audited(request, self._send)

    async def get(self, request: Request) -> Response:
        """How a run stands."""
        return await self._audited(request, self._state)

    async def _audited(
        self, request: Request, answer: Callable[[Request, Caller, AuditEntry], Awaitable[Response]]
    ) -> Response:
        audit = AuditEntry(request.method)
        caller = self._identify(request, audit)
        # Stays so if the deadline ends it, or a fault of ours.
        status, outcome = 503, "not_answered"
        try:
            self._rates.spend(caller.name)
            response = await answer(request, caller, audit)
            status, outcome = response.status_code, "answered"
        except Problem as problem:
            status, outcome = problem.status, problem.code
            raise
        finally:
            audit.write(status, outcome)
        return response

    def _identify(self, request: Request, audit: AuditEntry) -> Caller:
        """Who calls. Strangers share one rate, above which their calls leave no line: they could fill the log."""
        try:
            caller = self._callers.identify(request.headers)
        except Problem as problem:
            self._rates.spend(_STRANGERS)
            audit.write(problem.status, problem.code)
            raise
        audit.caller = caller.name
        return caller

    async def _send(self, request: Request, caller: Caller, audit: AuditEntry) -> Response:
        dry_run = parse_dry_run(request)
        body = await read_json(request)
        asked = parse_trigger_request(body)
        if dry_run:
            asked = asked.model_copy(update={"dry_run": True})
        key = parse_idempotency_key(request, body)
        # First of all, so that a call which finds Temporal away leaves no row behind.
        deliveries = await self._deliveries()
        store = SupabaseTriggerStore(await self._connections.supabase())
        trigger = Trigger(store, deliveries, any_subscriber_id=self._any_subscriber_id)
        accepted = await trigger.carry_out(asked, key, caller, audit)
        audit.workflow_id = None if accepted.run is None else accepted.run.workflow_id
        return JSONResponse(accepted.to_json(), 202 if accepted.is_left_to_the_sweep else 200)

    async def _state(self, request: Request, caller: Caller, audit: AuditEntry) -> Response:
        audit.action = "state"
        query = parse_state_query(request)
        audit.workflow_id = query.workflow_id
        kind, _, rest = query.workflow_id.partition("/")
        enterprise_id = rest.partition("/")[0]
        # Other enterprises' runs are as if they did not exist; other workflows are not for callers to see. What
        # enterprises share has an empty id in the place of one: it is for those who may act for every one.
        is_shared = enterprise_id == "" and caller.enterprise_ids is None
        if kind not in ("notification-processing", "scheduled-notification") or not (
            is_shared or caller.may_act_for(enterprise_id)
        ):
            raise _run_not_found()
        audit.enterprise_id = enterprise_id
        deliveries = await self._deliveries()
        try:
            state = await deliveries.state(query)
        except RPCError as error:
            log.warning("dependency_failed", extra={"dependency": "temporal", "reason": error.message[:300]})
            raise dependency_unavailable("temporal", "Temporal does not answer") from None
        if state is None:
            raise _run_not_found()
        return JSONResponse(state)

    async def _deliveries(self) -> TemporalDeliveries:
        client = await self._connections.temporal()
        return TemporalDeliveries(client, self._task_queue, shares_schedulers=self._shares_schedulers)


def _run_not_found() -> Problem:
    return Problem(ProblemCode.RUN_NOT_FOUND, "there is no such run")
