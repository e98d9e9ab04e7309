"""How long the adapter waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedTiming:
    """Seconds. The defaults fit the real server; tests are more impatient.

    A joined socket is found dead within `probe_every + probe_timeout`, 13 s; that no changes flow through one that
    lives, within `canary_every + canary_timeout`, 12 s. The timeouts outlast the 5 s for which the server says nothing
    at all after refusing a seat's join on the same socket.
    """

    reconnect_delay: float = 1.0
    reconnect_cap: float = 6.0
    """So that a server that is well again is heard, and health says so, within 15 s (decision 86)."""
    handshake_timeout: float = 10.0
    confirm_timeout: float = 10.0
    """The server's first subscription after a cold start takes up to 3 s."""
    probe_every: float = 5.0
    """Of the canary's seat. Of the others `seat_probe_every`: each probe counts as an event of the tenant."""
    probe_timeout: float = 8.0
    seat_probe_every: float = 30.0
    canary_every: float = 6.0
    canary_timeout: float = 6.0
    """Changes come within 0.5 s of their commit when the server is idle, and within seconds behind a large batch. Until
    then nothing is concluded; from then on the socket's enterprises are not heard, as far as anybody knows.
    """
    canary_late: float = 1.5
    """From then on, and as often, the tables are read instead of waiting for changes."""
    canary_again: float = 2.0
    """A beat that is not written, or has not come back, is followed by the next one so soon."""
    silence_limit: float = 18.0
    """A socket on which no beat came back for so long is given up."""
    flood_changes_per_second: float = 20.0
    """The server silences a tenant with more than 100 a second, averaged over a minute, for a minute: says nothing and
    drops its changes. A flood may have been enough, by itself or with what others saw; `after_flood` outlasts it.
    """
    after_flood: float = 75.0
    canary_every_after_flood: float = 5.0
    close_timeout: float = 1.0
    fall_back_after: float = 15.0
    """Where there are two ways, the second is opened beside the first when that was not proven for so long, and closed
    once it has been for `steady_after`.
    """
    steady_after: float = 60.0
