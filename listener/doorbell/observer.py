"""Writes the feed's status, and the log: a change of state when it happens, a repeating cause once."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime

from shared.exception_text import describe
from shared.ports import FeedState, FeedStatus, FeedWay

log = logging.getLogger("EnhancedSubscriptionManager")

_CAUSES_REMEMBERED = 100


class FeedObserver:
    """The only writer of a FeedStatus."""

    def __init__(self, way: FeedWay, enterprise_ids: Iterable[str], *, max_retries: int) -> None:
        """After `max_retries` failures in a row a seat counts as failed; attempts go on all the same."""
        self.status = FeedStatus(way=way, states=dict.fromkeys(enterprise_ids, FeedState.RECONNECTING))
        self._max_retries = max_retries
        self._causes_logged: set[str] = set()

    def subscribed(self, enterprise_ids: Iterable[str]) -> None:
        """The server confirmed the subscription, and rings were seen to come since."""
        for enterprise_id in enterprise_ids:
            self._enter(enterprise_id, FeedState.SUBSCRIBED)

    def unproven(self, enterprise_ids: Iterable[str], reason: str | None = None) -> None:
        """Nobody knows whether changes of these flow. Those that have failed stay so until there is proof."""
        if reason is not None:
            self.status.last_error = reason
        for enterprise_id in enterprise_ids:
            if self.status.states[enterprise_id] is FeedState.SUBSCRIBED:
                self._enter(enterprise_id, FeedState.RECONNECTING, reason)

    def lost(self, enterprise_ids: Iterable[str], reason: str, *, failures: int) -> None:
        """The seats are lost, for the `failures`-th time in a row. Only proof makes a failed one another."""
        self.status.reconnects += 1
        self.status.last_error = reason
        for enterprise_id in enterprise_ids:
            failed = failures >= self._max_retries or self.status.states[enterprise_id] is FeedState.FAILED
            self._enter(enterprise_id, FeedState.FAILED if failed else FeedState.RECONNECTING, reason)

    def socket_lost(self, reason: str, *, failures: int, is_configuration: bool) -> None:
        """A socket is lost; only a person can mend a configuration."""
        self.status.last_error = reason
        if is_configuration:
            log.error("realtime_configuration_refused", extra={"reason": reason, "failures": failures})
        elif failures == 1 or failures == self._max_retries:
            log.warning("realtime_socket_lost", extra={"reason": reason, "failures": failures})

    def change_received(self) -> None:
        """The server sent an event."""
        self.status.changes_received += 1

    def malformed(self, reason: str) -> None:
        """An event could not be read or routed."""
        self.status.changes_malformed += 1
        self._log_once("change_malformed", reason)

    def callback_failed(self, error: Exception) -> None:
        """Our own handling of an event raised: a defect, survived."""
        self.status.callbacks_failed += 1
        self._log_once("callback_failed", describe(error))

    def alarm(self, event: str, reason: str) -> None:
        """Something that a person should look at; said once for each reason."""
        self._log_once(event, reason, logging.ERROR)

    def proof_of_life(self) -> None:
        """A beat of the canary came back: only a working feed sends that."""
        self.status.last_proof_of_life = datetime.now(UTC)

    def _enter(self, enterprise_id: str, state: FeedState, reason: str | None = None) -> None:
        if self.status.states[enterprise_id] is state:
            return
        self.status.states[enterprise_id] = state
        level = logging.INFO if state is FeedState.SUBSCRIBED else logging.WARNING
        log.log(level, f"subscription_{state.value}", extra={"enterprise_id": enterprise_id, "reason": reason})

    def _log_once(self, event: str, cause: str, level: int = logging.WARNING) -> None:
        key = f"{event} {cause}"
        if key in self._causes_logged or len(self._causes_logged) >= _CAUSES_REMEMBERED:
            return
        self._causes_logged.add(key)
        log.log(level, event, extra={"cause": cause})
