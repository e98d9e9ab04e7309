"""What the library's reader calls, on its own task: it must never wait, and an exception would end it for good."""

from datetime import datetime
from typing import Any

from listener.doorbell.canary import Canary
from listener.doorbell.observer import FeedObserver
from listener.doorbell.outbox import Outbox
from listener.doorbell.ring import HeardOf, MalformedRing, read_ring
from listener.roster import Roster
from shared.ports import FeedLate


class ReaderCallbacks:
    """Turns what one socket receives into changes and gaps."""

    def __init__(self, enterprises: Roster, outbox: Outbox, observer: FeedObserver, canary: Canary) -> None:
        self._enterprises = enterprises
        self._outbox = outbox
        self._observer = observer
        self._canary = canary

    def on_ring(self, ring: Any, committed_at: datetime | None = None) -> None:
        """Somebody rang. What cannot be read may have been anybody's, and becomes a gap."""
        self._observer.change_received()
        self._canary.ring_heard()
        try:
            for news in read_ring(ring, self._enterprises, committed_at=committed_at):
                if isinstance(news, HeardOf):
                    self._enterprises.heard_of(news.enterprise_ids, changed=news.changed)
                elif isinstance(news, FeedLate):
                    self._outbox.put_late(news.enterprise_ids)
                else:
                    self._outbox.put_change(news)
        except MalformedRing as malformed:
            self._miss(malformed.reason)
        except Exception as error:  # noqa: BLE001 - a defect here must not silence the feed
            self._observer.callback_failed(error)
            self._outbox.put_gap(self._enterprises, "a callback failed")

    def on_beat(self, beat: Any) -> None:
        """A beat of the canary came back."""
        self._canary.on_beat(beat)

    def on_unreadable(self, reason: str) -> None:
        """Something came that is neither ring nor beat."""
        self._observer.change_received()
        self._canary.ring_heard()
        self._miss(reason)

    def on_unreadable_frame(self) -> None:
        """The library dropped a frame that it could not read; it may have been anybody's ring."""
        self._miss("a frame that the library cannot read")

    def _miss(self, reason: str) -> None:
        self._observer.malformed(reason)
        self._outbox.put_gap(self._enterprises, f"unreadable: {reason}")
