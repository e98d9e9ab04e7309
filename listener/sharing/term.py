"""A listener for some of the shards, from when it is opened until another one with other shards has taken over."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from listener.listener import Listener
from listener.roster import Roster
from shared.supervision import Supervisor

SETTLED_WITHIN_SECONDS = 30.0
"""Where it takes longer Realtime is in trouble, and whoever follows would fare no better: it sweeps."""
LOOK_SECONDS = 0.1


@dataclass(slots=True)
class Term:
    """`listener` is None where the share is empty."""

    shards: frozenset[int]
    listener: Listener | None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    is_settled: bool = False

    @classmethod
    def of(cls, shards: frozenset[int], enterprises: Roster, make: Callable[[Roster], Listener]) -> "Term":
        """For those of the enterprises that are in these shards."""
        return cls(shards, make(enterprises.within(shards)) if shards else None)

    async def run(self, parts: Supervisor, on_settled: Callable[[], None]) -> None:
        """Until `stop` is set; what is held is handed over at the end. `on_settled` is called once it `is_settled`:
        everybody is heard and what may have been missed is swept, or it is not worth while to wait for that.
        """
        settling = asyncio.create_task(parts.keep("shares", self._settle))
        settling.add_done_callback(lambda _: on_settled())
        try:
            await (self.listener.run(self.stop) if self.listener else self.stop.wait())
        finally:
            settling.cancel()

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + SETTLED_WITHIN_SECONDS
        while not self._is_heard() and loop.time() < until:  # noqa: ASYNC110 - there is no event of this
            await asyncio.sleep(LOOK_SECONDS)
        self.is_settled = True

    def _is_heard(self) -> bool:
        return self.listener is None or self.listener.is_heard
