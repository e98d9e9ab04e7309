"""A worker sends for the enterprises that its deployment serves: whoever reaches Temporal can ask for any."""

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from shared.ports import NOTHING_OF_ITS_OWN, EnterpriseStore, OwnSettings, StoreUnavailable, ToldEnterprises
from shared.telemetry.metric import counter
from shared.temporal.messages import NotificationProcessingInput
from worker import metrics
from worker.activities.notification_delivery import GiveUpInput
from worker.failures import NOT_SERVED

log = logging.getLogger("TemporalService")

_refused = counter(metrics.NOT_SERVED)

_LONGEST_ID = 64

BREATH_SECONDS = 0.5
"""Between two questions because of those who are refused."""
LOOK_SECONDS = 10.0
"""After which an enterprise that is not to be served any more is not."""
KNOWN_WITHIN_SECONDS = 5.0


class ServedEnterprises(Interceptor):
    """Refuses every activity for an enterprise that is not on the list, before it has begun; none are, if it is empty.
    Nor is anything done for those of whom the database says that they are not to be served.

    An activity names its enterprise in its input (`enterprise_id`), or is given nothing but its id. Of a batch that
    several share, those that are served get theirs.
    """

    def __init__(self, enterprise_ids: Collection[str], store: EnterpriseStore | None = None) -> None:
        """With a `store`, `run` must run: until it has asked once, activities wait."""
        self._enterprise_ids = frozenset(enterprise_ids)
        self._store = store
        self._told = ToldEnterprises()
        self._asked_at = 0.0
        self._asking = asyncio.Lock()
        self._known = asyncio.Event()
        if store is None:
            self._known.set()

    def serves(self, enterprise_id: str) -> bool:
        """Whether this deployment sends for the enterprise."""
        is_listed = not self._enterprise_ids or enterprise_id in self._enterprise_ids
        return is_listed and enterprise_id not in self._told.unserved

    def settings_of(self, enterprise_id: str) -> OwnSettings:
        """What it has of its own, as far as is known."""
        return self._told.settings.get(enterprise_id, NOTHING_OF_ITS_OWN)

    def novu_key_names(self) -> frozenset[str]:
        """The variables that hold the keys of those who are served."""
        return frozenset(
            its.novu_key_name
            for enterprise_id, its in self._told.settings.items()
            if its.novu_key_name is not None and self.serves(enterprise_id)
        )

    async def serves_by_now(self, enterprise_id: str) -> bool:
        """As `serves`, by what the database says now if it said no: one that is served again is so at once. Nobody is
        refused by an answer to a question of before he came; all who wait are served by one.
        """
        if enterprise_id not in self._told.unserved:
            return self.serves(enterprise_id)  # nobody else's question is waited for
        loop = asyncio.get_running_loop()
        came_at = loop.time()
        async with self._asking:
            if enterprise_id in self._told.unserved and self._asked_at <= came_at:
                await asyncio.sleep(max(0.0, self._asked_at + BREATH_SECONDS - loop.time()))
                with suppress(StoreUnavailable):  # what it said last counts
                    await self._ask()
        return self.serves(enterprise_id)

    async def wait_until_known(self) -> None:
        """Raises ApplicationError, to be tried again, if the database does not say who is served."""
        try:
            async with asyncio.timeout(KNOWN_WITHIN_SECONDS):
                await self._known.wait()
        except TimeoutError:
            raise ApplicationError("the database has not said yet who is not to be served") from None

    async def run(self) -> None:
        """Ask for ever. Who was served is served while the database does not answer."""
        while True:
            with suppress(StoreUnavailable):  # health tells of the database
                await self._ask()
            await asyncio.sleep(LOOK_SECONDS)

    async def _ask(self) -> None:
        assert self._store is not None, "only a database says who is not served"
        began = asyncio.get_running_loop().time()
        told = await self._store.told()
        if began >= self._asked_at:  # or a later question was answered first
            self._asked_at, self._told = began, told
        self._known.set()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Refusing(next, self)


class _Refusing(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, served: ServedEnterprises) -> None:
        super().__init__(following)
        self._served = served

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        await self._served.wait_until_known()
        argument = input.args[0] if input.args else None
        if isinstance(argument, NotificationProcessingInput | GiveUpInput) and argument.others:
            served = [each for each in argument.portions if await self._is_served(each.enterprise_id)]
            if not served:
                raise _not_served()
            first, *others = served
            served_part = replace(
                argument, enterprise_id=first.enterprise_id, notification_ids=first.notification_ids, others=others
            )
            input.args = [served_part, *input.args[1:]]
        elif (enterprise_id := _enterprise_id(argument)) is not None and not await self._is_served(enterprise_id):
            raise _not_served()
        return await super().execute_activity(input)

    async def _is_served(self, enterprise_id: str) -> bool:
        is_served = await self._served.serves_by_now(enterprise_id)
        if not is_served:
            _refused.add(1)
            log.error("enterprise_not_served", extra={"enterprise_id": enterprise_id[:_LONGEST_ID]})
        return is_served


def _not_served() -> ApplicationError:
    return ApplicationError(
        "this deployment does not serve the enterprise: see WORKER_ENTERPRISE_IDS, and xnovu enterprise list",
        type=NOT_SERVED,
        non_retryable=True,
    )


def _enterprise_id(argument: object) -> str | None:
    named = argument if isinstance(argument, str) else getattr(argument, "enterprise_id", None)
    return named if isinstance(named, str) else None
