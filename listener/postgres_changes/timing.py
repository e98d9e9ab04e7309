"""How long the adapter waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedTiming:
    """Seconds. The defaults fit the real server; tests are more impatient.

    A joined socket is found dead within `probe_every + probe_timeout`, 13 s. The timeouts outlast the 5 s for which
    the server says nothing at all after refusing another seat's join on the same socket.
    """

    reconnect_delay: float = 1.0
    reconnect_cap: float = 30.0
    handshake_timeout: float = 10.0
    confirm_timeout: float = 10.0
    """The server's first subscription after a cold start takes up to 3 s."""
    probe_every: float = 5.0
    probe_timeout: float = 8.0
    canary_every: float = 30.0
    canary_timeout: float = 8.0
    """Changes come within 0.5 s of their commit when the server is idle, and within seconds behind a large batch."""
    close_timeout: float = 1.0
