"""What a worker says of itself, read from its live objects."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from temporalio.worker import Worker

from shared.health.observations import WorkerObservation
from worker.delivery_account import DeliveryAccount

MOST_KEYS_NAMED = 20


def observe(
    worker: Worker,
    account: DeliveryAccount,
    enterprise_ids: Sequence[str] = (),
    lacking_keys: Callable[[], Sequence[str]] = tuple,
) -> WorkerObservation:
    """The worker as it is now; it polls from its start until it is told to shut down. No `enterprise_ids`: all."""
    return WorkerObservation(
        polling=worker.is_running and not worker.is_shutdown,
        enterprise_ids=tuple(enterprise_ids) or None,
        sent=account.sent,
        failed=dict(account.failed),
        novu=replace(account.novu(), lacking_keys=tuple(lacking_keys())[:MOST_KEYS_NAMED]),
    )
