"""The way to Temporal, for rows."""

from collections.abc import Sequence
from typing import Protocol

from shared.notification.priority import NORMAL


class ProcessingStarter(Protocol):
    """Starts the processing of rows, wherever workflows run."""

    async def start(self, enterprise_id: str, notification_ids: Sequence[int], *, priority: int = NORMAL) -> bool:
        """Start one workflow for all the ids; False if that very work runs already."""
        ...
