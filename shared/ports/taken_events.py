"""What Novu knows of an event whose answer was lost."""

from typing import Protocol


class TakenEvents(Protocol):
    """Novu's account of what it has processed."""

    async def was_taken(self, transaction_id: str) -> bool | None:
        """True: Novu has processed it, for whichever recipients. False: not that it knows of; it may be on its queue.
        None: it cannot be asked now. Never raises.
        """
        ...
