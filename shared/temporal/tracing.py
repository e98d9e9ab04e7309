"""One trace from whoever starts a row's workflow, through it, to its activities."""

from typing import Any

from opentelemetry.context import attach
from temporalio.client import OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW, NOTIFICATION_RETRACTION_WORKFLOW

_TRACED = frozenset({NOTIFICATION_PROCESSING_WORKFLOW, NOTIFICATION_RETRACTION_WORKFLOW})


class RowTracing(TracingInterceptor):
    """Temporal's own interceptor, for the workflows that work on rows.

    Schedulers and the orchestration run for months: they take no trace along, which would never end. Each pass of
    theirs begins one instead, in its activity.
    """

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name
        return _RowWorkflowsTraced(next, traced=super().intercept_client(next))

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _AttemptsWithinTheirTrace(super().intercept_activity(next), self)


class _RowWorkflowsTraced(OutboundInterceptor):
    def __init__(self, untraced: OutboundInterceptor, *, traced: OutboundInterceptor) -> None:
        super().__init__(untraced)
        self._traced = traced

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        way = self._traced if input.workflow in _TRACED else self.next
        return await way.start_workflow(input)


class _AttemptsWithinTheirTrace(ActivityInboundInterceptor):
    """The SDK logs that an attempt failed after its span has ended: the trace stays, so that the line names it."""

    def __init__(self, traced: ActivityInboundInterceptor, tracing: TracingInterceptor) -> None:
        super().__init__(traced)
        self._tracing = tracing

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        context = self._tracing._context_from_headers(input.headers)
        if context is not None:
            attach(context)  # of this attempt's own asyncio task, and gone with it
        return await super().execute_activity(input)
