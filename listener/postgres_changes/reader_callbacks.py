"""What the library's reader calls, on its own task: it must never wait, and an exception would end it for good."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from listener.postgres_changes.canary import Canary
from listener.postgres_changes.change_event import MalformedChange, read_change
from listener.postgres_changes.observer import FeedObserver
from listener.postgres_changes.outbox import Outbox
from listener.postgres_changes.pulse import Pulse


class ReaderCallbacks:
    """Turns what one socket receives into changes and gaps."""

    def __init__(self, outbox: Outbox, observer: FeedObserver, canary: Canary, pulse: Pulse) -> None:
        self._outbox = outbox
        self._observer = observer
        self._canary = canary
        self._pulse = pulse

    def on_change(self, enterprise_id: str, data: Mapping[str, Any]) -> None:
        """An event on the enterprise's seat. What cannot be read becomes a gap if it may hide work."""
        self._observer.change_received()
        self._canary.change_seen()
        try:
            change = read_change(data, enterprise_id, datetime.now(UTC))
            if change is not None:
                self._outbox.put_change(change)
        except MalformedChange as malformed:
            self._observer.malformed(malformed.reason)
            if malformed.may_hide_work:
                self._outbox.put_gap((enterprise_id,), f"malformed change: {malformed.reason}")
        except Exception as error:  # noqa: BLE001 - a defect here must not silence the feed
            self._observer.callback_failed(error)
            self._outbox.put_gap((enterprise_id,), "a callback failed")

    def on_subscribed(self, enterprise_id: str) -> None:
        """The server says that changes flow, from now on: a beat of the canary is to prove it, soon."""
        self._pulse.confirmed(enterprise_id, next_beat=self._canary.next_beat)
        self._canary.sing_soon()

    def on_unreadable_frame(self) -> None:
        """The library dropped a frame that it could not read; it may have been anybody's change."""
        self._observer.malformed("a frame that the library cannot read")
        self._outbox.put_gap(self._pulse.enterprise_ids, "unreadable frame")
