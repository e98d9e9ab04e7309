"""`python -m tests.chaos.mutated MUTANT PART`: one of our processes with one of its locks taken out, from outside."""

from __future__ import annotations

import asyncio
import runpy
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence

from temporalio.common import WorkflowIDReusePolicy

import shared.temporal.starters as starters
import worker.activities.preparation as preparation
from listener.handed_over import HandedOver
from listener.sweeper import Sweeper
from shared.novu.idempotency import IdempotencyKeys


def _workflow_id_of_no_row() -> None:
    def same_for_all(*_: object) -> str:
        return "notification-processing"

    class WhatHasEndedCounts:
        ALLOW_DUPLICATE = WorkflowIDReusePolicy.REJECT_DUPLICATE
        REJECT_DUPLICATE = WorkflowIDReusePolicy.REJECT_DUPLICATE

    setattr(starters, "notification_processing_id", same_for_all)  # noqa: B010 (mypy would have the true type)
    setattr(starters, "shared_processing_id", same_for_all)  # noqa: B010
    setattr(starters, "WorkflowIDReusePolicy", WhatHasEndedCounts)  # noqa: B010


def _transaction_id_of_each_call() -> None:
    true_id = getattr(preparation, "transaction_id")  # noqa: B009

    def of_each_call(*arguments: object) -> str:
        return f"{true_id(*arguments)}.{uuid.uuid4().hex}"

    setattr(preparation, "transaction_id", of_each_call)  # noqa: B010


def _idempotency_key_of_each_call() -> None:
    def of_each_call(*_: object) -> str:
        return uuid.uuid4().hex

    setattr(IdempotencyKeys, "of_event", of_each_call)  # noqa: B010
    setattr(IdempotencyKeys, "of_bulk", of_each_call)  # noqa: B010


def _no_sweep() -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    setattr(Sweeper, "run", never)  # noqa: B010


def _handed_over_for_ever() -> None:
    def remembered(self: HandedOver, notification_id: int) -> bool:
        is_new = notification_id not in self._handed_over_at
        return is_new and self._remember(notification_id)

    def forget_nothing(*_: object) -> None: ...

    setattr(HandedOver, "take_due", remembered)  # noqa: B010
    setattr(HandedOver, "take_change", lambda self, change: remembered(self, change.notification_id))  # noqa: B010
    setattr(HandedOver, "_forget_old", forget_nothing)  # noqa: B010
    setattr(HandedOver, "forget_all", forget_nothing)  # noqa: B010


PATCHES: Mapping[str, Callable[[], None]] = {
    "workflow id": _workflow_id_of_no_row,
    "transaction id": _transaction_id_of_each_call,
    "idempotency key": _idempotency_key_of_each_call,
    "sweep": _no_sweep,
    "handed-over memory": _handed_over_for_ever,
}


def main(arguments: Sequence[str]) -> None:
    """Take the lock out, and be that process."""
    mutant, part = arguments
    PATCHES[mutant]()
    sys.argv = [part]
    runpy.run_module(part, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
