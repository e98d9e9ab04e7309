"""Looking at keys, and whatever else may be replaced, for as long as a part of the process runs."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from shared.supervision import Supervisor


class Watched(Protocol):
    """Something that is looked at for ever, under a name."""

    @property
    def name(self) -> str:
        """For people."""

    async def watch(self, every_seconds: float) -> None:
        """Raises KeyRefused, at each look, as long as what is there is refused."""


@contextmanager
def watching(parts: Supervisor, watched: Iterable[Watched], every_seconds: float) -> Iterator[None]:
    """Look at them within the block; what is refused is a part that fails, and so is seen in health."""
    tasks = [
        asyncio.create_task(parts.keep(each.name, partial(each.watch, every_seconds)), name=each.name)
        for each in watched
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
