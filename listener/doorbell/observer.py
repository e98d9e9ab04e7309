"""Writes the feed's status, and the log: a change of state when it happens, a repeating cause once."""

import logging
from collections.abc import Collection
from datetime import UTC, datetime

from listener.roster import Roster
from shared.exception_text import describe
from shared.ports import FeedState, FeedStatus, FeedWay

log = logging.getLogger("EnhancedSubscriptionManager")

_CAUSES_REMEMBERED = 100
_ENTERPRISES_LOGGED = 100


class FeedObserver:
    """The only writer of a FeedStatus."""

    def __init__(self, way: FeedWay, enterprises: Roster, *, max_retries: int) -> None:
        """After `max_retries` failures in a row its seats count as failed; attempts go on all the same."""
        self.status = FeedStatus(way=way, states=dict.fromkeys(enterprises, FeedState.RECONNECTING))
        self._max_retries = max_retries
        self._causes_logged: set[str] = set()
        enterprises.follow(self._note_members)

    def subscribed(self) -> None:
        """The server confirmed the subscription, and rings were seen to come since."""
        self._enter(FeedState.SUBSCRIBED)

    def unproven(self, reason: str | None = None) -> None:
        """Nobody knows whether changes flow. What has failed stays so until there is proof."""
        if reason is not None:
            self.status.last_error = reason
        if self.status.state is FeedState.SUBSCRIBED:
            self._enter(FeedState.RECONNECTING, reason)

    def lost(self, reason: str, *, failures: int) -> None:
        """The seats are lost, for the `failures`-th time in a row. Only proof makes a failed one another."""
        self.status.reconnects += 1
        self.status.last_error = reason
        failed = failures >= self._max_retries or self.status.state is FeedState.FAILED
        self._enter(FeedState.FAILED if failed else FeedState.RECONNECTING, reason)

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

    def _enter(self, state: FeedState, reason: str | None = None) -> None:
        if self.status.state is state:
            return
        self.status.state = state
        self.status.states.update(dict.fromkeys(self.status.states, state))
        self._log_state(self.status.states, reason)

    def _note_members(self, come: frozenset[str], gone: frozenset[str]) -> None:
        for enterprise_id in gone:
            self.status.states.pop(enterprise_id, None)
        self.status.states.update(dict.fromkeys(come, self.status.state))
        if come and self.status.state is FeedState.SUBSCRIBED:
            self._log_state(come, None)

    def _log_state(self, enterprise_ids: Collection[str], reason: str | None) -> None:
        """A line for each enterprise, as long as there are few."""
        state = self.status.state
        level = logging.INFO if state is FeedState.SUBSCRIBED else logging.WARNING
        event = f"subscription_{state.value}"
        if len(enterprise_ids) > _ENTERPRISES_LOGGED:
            log.log(level, event, extra={"enterprises": len(enterprise_ids), "reason": reason})
            return
        for enterprise_id in enterprise_ids:
            log.log(level, event, extra={"enterprise_id": enterprise_id, "reason": reason})

    def _log_once(self, event: str, cause: str, level: int = logging.WARNING) -> None:
        key = f"{event} {cause}"
        if key in self._causes_logged or len(self._causes_logged) >= _CAUSES_REMEMBERED:
            return
        self._causes_logged.add(key)
        log.log(level, event, extra={"cause": cause})
