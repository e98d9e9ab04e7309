"""A worker sends for the enterprises that its deployment serves: whoever reaches Temporal can ask for any."""

import logging
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from shared.telemetry.metric import counter
from shared.temporal.messages import NotificationProcessingInput
from worker import metrics
from worker.activities.notification_delivery import GiveUpInput
from worker.failures import NOT_SERVED

log = logging.getLogger("TemporalService")

_refused = counter(metrics.NOT_SERVED)

_LONGEST_ID = 64


class ServedEnterprises(Interceptor):
    """Refuses every activity for an enterprise that is not on the list, before it has begun; none are, if it is empty.

    An activity names its enterprise in its input (`enterprise_id`), or is given nothing but its id. Of a batch that
    several share, those that are served get theirs.
    """

    def __init__(self, enterprise_ids: Collection[str]) -> None:
        self._enterprise_ids = frozenset(enterprise_ids)

    def serves(self, enterprise_id: str) -> bool:
        """Whether this deployment sends for the enterprise."""
        return not self._enterprise_ids or enterprise_id in self._enterprise_ids

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Refusing(next, self)


class _Refusing(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, served: ServedEnterprises) -> None:
        super().__init__(following)
        self._served = served

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        argument = input.args[0] if input.args else None
        if isinstance(argument, NotificationProcessingInput | GiveUpInput) and argument.others:
            served = [portion for portion in argument.portions if self._is_served(portion.enterprise_id)]
            if not served:
                raise _not_served()
            first, *others = served
            served_part = replace(
                argument, enterprise_id=first.enterprise_id, notification_ids=first.notification_ids, others=others
            )
            input.args = [served_part, *input.args[1:]]
        elif (enterprise_id := _enterprise_id(argument)) is not None and not self._is_served(enterprise_id):
            raise _not_served()
        return await super().execute_activity(input)

    def _is_served(self, enterprise_id: str) -> bool:
        is_served = self._served.serves(enterprise_id)
        if not is_served:
            _refused.add(1)
            log.error("enterprise_not_served", extra={"enterprise_id": enterprise_id[:_LONGEST_ID]})
        return is_served


def _not_served() -> ApplicationError:
    return ApplicationError("WORKER_ENTERPRISE_IDS does not name this enterprise", type=NOT_SERVED, non_retryable=True)


def _enterprise_id(argument: object) -> str | None:
    named = argument if isinstance(argument, str) else getattr(argument, "enterprise_id", None)
    return named if isinstance(named, str) else None
