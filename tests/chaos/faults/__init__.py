"""What goes wrong: by name, each a coroutine that begins it, waits, and has ended it when it returns."""

from tests.chaos.faults import clocks, feed, novu, processes, releases, rest, servers
from tests.chaos.faults.fault import Fault

INNER: tuple[Fault, ...] = (*processes.FAULTS, *servers.FAULTS, *releases.FAULTS, *clocks.FAULTS)
"""Of our processes, and of the servers on which all of them live: one at a time."""

OUTER: tuple[Fault, ...] = (*feed.FAULTS, *rest.FAULTS, *novu.FAULTS)
"""Of what other companies run: one at a time, beside one of those within."""
