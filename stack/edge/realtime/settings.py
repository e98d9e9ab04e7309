"""The Realtime half's settings: the real server's defaults, each to be changed by one environment variable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

_REALISTIC = "EDGE_REALISTIC"
# Measured: a poll takes about 100 changes and about 1 ms for each of them; one whose changes are for nobody is followed
# by the next after 150 to 200 ms, of which this is the pause.
REALISTIC_PACE: Mapping[str, Any] = {"poll_max_changes": 100, "change_work_ms": 1.0, "poll_interval_ms": 150.0}


class SettingRefused(ValueError):
    """An environment variable holds something that is not its setting's kind of number."""


@dataclass(frozen=True)
class RealtimeSettings:
    """Delays, limits and intervals. The environment variable of a setting is `EDGE_` and its name in capitals."""

    poll_interval_ms: float = 100
    # Changes that one poll takes, whole transactions only; 0: all there are, at once.
    poll_max_changes: int = 0
    # What evaluating one change costs; a poll that takes longer than a query may is lost, and the slot with it.
    change_work_ms: float = 0
    idle_poll_interval_ms: float = 500
    query_timeout_seconds: float = 15
    # Deliberate delays of the real server before it answers what it refuses.
    connect_error_delay_seconds: float = 2
    join_error_delay_seconds: float = 5
    # A subscription that must wait (cold start) or is made anew (new token) comes after a random third to all of this.
    subscribe_retry_seconds: float = 3
    # How long "Subscribed" waits for a slot that is being created; it is sent even if that takes longer.
    slot_wait_seconds: float = 1
    # After a lost connection: a random wait between these two.
    retry_min_seconds: float = 0.1
    retry_max_seconds: float = 5
    retries_before_resubscribing: int = 6
    # Broadcast's own slot: how long it may wait for others' transactions, and a random, doubling wait after its loss.
    slot_creation_seconds: float = 60
    broadcast_retry_min_seconds: float = 5
    broadcast_retry_max_seconds: float = 300
    # A join with `replication_ready` hears of the slot so late at most, or that there is none in time.
    replication_ready_lag_seconds: float = 0.5
    replication_ready_seconds: float = 60
    publication_refresh_seconds: float = 60
    idle_slot_seconds: float = 600
    socket_idle_seconds: float = 60
    no_channel_seconds: float = 600
    token_check_seconds: float = 300
    # Rates are averages over up to twelve of these.
    rate_bucket_seconds: float = 5
    max_events_per_second: int = 100
    max_joins_per_second: int = 100
    max_channels_per_socket: int = 100
    max_sockets: int = 200
    max_record_bytes: int = 1024 * 1024
    max_broadcast_bytes: int = 3000 * 1024
    # Memory a client that does not read may cost before it is cut off.
    max_mailbox_bytes: int = 256 * 1024 * 1024

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> RealtimeSettings:
        """The defaults, with what `environment` says instead. Raises SettingRefused naming the variable.

        `EDGE_REALISTIC=1` begins with the pace of the real server's polls, which tests of other things need not wait
        for.
        """
        realistic = environment.get(_REALISTIC, "0")
        if realistic not in ("0", "1"):
            raise SettingRefused(f"{_REALISTIC} must be 0 or 1, not {realistic!r}")
        given: dict[str, Any] = dict(REALISTIC_PACE) if realistic == "1" else {}
        for field in fields(cls):
            variable = f"EDGE_{field.name.upper()}"
            if variable not in environment:
                continue
            number = int if field.type == "int" else float
            try:
                value = number(environment[variable])
            except ValueError as error:
                raise SettingRefused(f"{variable} must be a number, not {environment[variable]!r}") from error
            if not 0 <= value < math.inf:
                raise SettingRefused(f"{variable} must be a finite number that is not negative")
            given[field.name] = value
        return replace(cls(), **given)
