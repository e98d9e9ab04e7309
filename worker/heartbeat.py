"""What a worker says of itself, read from its live objects."""

from temporalio.worker import Worker

from shared.health.observations import WorkerObservation
from worker.delivery_account import DeliveryAccount


def observe(worker: Worker, account: DeliveryAccount) -> WorkerObservation:
    """The worker as it is now; it polls from its start until it is told to shut down."""
    return WorkerObservation(
        polling=worker.is_running and not worker.is_shutdown,
        sent=account.sent,
        failed=dict(account.failed),
        novu=account.novu(),
    )
