"""What the platform that runs a container asks it: has it started, is it alive, is it ready (docs/image.md).

Alive is answered by the process's own event loop, and that it answers is all it says: whatever is wrong elsewhere, a
restart would not mend it.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from shared.health.observations import ListenerObservation, SubscriptionState, WorkerObservation
from shared.heartbeat import Reporter
from shared.settings import SettingsError
from shared.supervision import Supervisor

if TYPE_CHECKING:
    from starlette.applications import Starlette

_HEARD = frozenset({SubscriptionState.SUBSCRIBED, SubscriptionState.CATCHING_UP})


class Probes:
    """What is known of the one component of this process."""

    def __init__(self) -> None:
        self._reporter: Reporter | None = None
        self._has_started = False

    @contextmanager
    def watching(self, reporter: Reporter) -> Iterator[None]:
        """Within the block the component is up, and says itself how it is."""
        self._reporter = reporter
        try:
            yield
        finally:
            self._reporter = None

    def is_ready(self) -> bool:
        """Whether a listener hears every enterprise; whether a worker polls; and whether all of its parts run, and
        others hear of it. False once it drains.
        """
        return self._works() and not self.troubles()

    def troubles(self) -> list[str]:
        """What has stopped that should never stop; codes and names only."""
        if self._reporter is None:
            return []
        stopped = [f"{part.part}: {part.last_fault}" for part in self._reporter.parts.failing() if not part.running]
        return [*stopped, "heartbeat: not published"] if self._reporter.has_fallen_silent() else stopped

    def _works(self) -> bool:
        seen = self._observe()
        if isinstance(seen, ListenerObservation):
            return _HEARD.issuperset(enterprise.state for enterprise in seen.enterprises.values())
        return seen is not None and seen.polling

    def has_started(self) -> bool:
        """Whether it has been ready, or able to deliver without being so: a listener that Realtime does not seat
        sweeps all the same, and must not be restarted for it.
        """
        self._has_started = self._has_started or self._works() or self._has_swept()
        return self._has_started

    def _has_swept(self) -> bool:
        seen = self._observe()
        return isinstance(seen, ListenerObservation) and all(
            enterprise.last_sweep_at is not None for enterprise in seen.enterprises.values()
        )

    def _observe(self) -> ListenerObservation | WorkerObservation | None:
        return None if self._reporter is None else self._reporter.observe()


@asynccontextmanager
async def serving_probes(host: str, port: int | None, parts: Supervisor | None = None) -> AsyncIterator[Probes]:
    """Answer probes at this address within the block, kept by `parts`; nobody asks where `port` is None.

    Raises:
        SettingsError: nothing can listen there.
    """
    probes, parts = Probes(), parts or Supervisor()
    if port is None:
        yield probes
        return
    from shared.http_server import listen, serving  # megabytes, where nobody asks

    try:
        listening = listen(host, port)
    except OSError as error:
        raise SettingsError([f"PROBE_PORT: nothing can listen on {host}:{port} ({error.strerror})"]) from None
    with listening:
        async with serving(_application(probes), listening, parts, "probes"):
            yield probes


def _application(probes: Probes) -> "Starlette":
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    def answer(holds: bool, word: str, *why: str) -> PlainTextResponse:
        lines = [word if holds else f"not {word}", *why]
        return PlainTextResponse(
            "".join(f"{line}\n" for line in lines), 200 if holds else 503, {"Cache-Control": "no-store"}
        )

    async def startup(_: Request) -> PlainTextResponse:
        return answer(probes.has_started(), "started")

    async def livez(_: Request) -> PlainTextResponse:
        return answer(True, "alive")

    async def readyz(_: Request) -> PlainTextResponse:
        return answer(probes.is_ready(), "ready", *probes.troubles())

    return Starlette(routes=[Route("/startup", startup), Route("/livez", livez), Route("/readyz", readyz)])
