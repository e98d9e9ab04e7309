"""The servers die, stand still, come back with less than they had, or have no room left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Protocol

from tests.chaos import room
from tests.chaos.bed import Bed, suspend
from tests.chaos.faults.fault import Fault

MOST_DOWN_SECONDS = 5.0
STILL_SECONDS = (1.0, 4.0)


class Server(Protocol):
    """A part of the stack."""

    @property
    def pid(self) -> int | None: ...

    async def start(self) -> None: ...

    async def kill(self) -> None: ...


SERVERS: dict[str, Callable[[Bed], Server]] = {
    "Temporal": lambda bed: bed.stack.temporal,
    "PostgreSQL": lambda bed: bed.stack.postgres,
    "edge": lambda bed: bed.stack.edge,
    "Novu": lambda bed: bed.stack.novu_sink,
}


async def _kill(server: str, bed: Bed, chance: Random) -> None:
    await SERVERS[server](bed).kill()
    await asyncio.sleep(chance.uniform(0, MOST_DOWN_SECONDS))
    await SERVERS[server](bed).start()


async def _stand_still(server: str, bed: Bed, chance: Random) -> None:
    process_id = SERVERS[server](bed).pid
    suspend(process_id, on=True)
    await asyncio.sleep(chance.choice(STILL_SECONDS))
    suspend(process_id, on=False)


async def _delete_temporals_database(bed: Bed, _: Random) -> None:
    await bed.stack.temporal.kill()
    bed.stack.temporal.delete_database()
    await bed.stack.temporal.start()


async def _restart_postgres(bed: Bed, _: Random) -> None:
    await bed.stack.postgres.restart()


async def _full(bed: Bed, chance: Random) -> None:
    await room.is_gone(bed.stack.postgres.url)
    await asyncio.sleep(chance.uniform(1, 6))
    await room.is_back(bed.stack.postgres.url)


def _remembers(server: str, bed: Bed) -> bool:
    """The stand-in for Novu forgets the answers that it has given to Idempotency-Keys when it dies; Novu does not."""
    return server != "Novu" or not bed.heeds_idempotency


FAULTS = (
    *(Fault(f"{server}: SIGKILL", partial(_kill, server), partial(_remembers, server)) for server in SERVERS),
    *(Fault(f"{server}: SIGSTOP", partial(_stand_still, server)) for server in SERVERS),
    Fault("Temporal: database deleted", _delete_temporals_database),
    Fault("PostgreSQL: restart", _restart_postgres),
    Fault("PostgreSQL: disk full", _full),
)
