"""What one socket's canary has proven of the enterprises that sit on it."""

from collections.abc import Callable, Sequence

from listener.postgres_changes.observer import FeedObserver
from listener.postgres_changes.outbox import Outbox


class Pulse:
    """An enterprise is heard once a beat came back that was written after its seat was confirmed.

    Neither the server's "Subscribed" nor anybody else's changes prove that: both were seen while changes were lost.
    """

    def __init__(self, enterprise_ids: Sequence[str], outbox: Outbox, observer: FeedObserver) -> None:
        self.enterprise_ids = list(enterprise_ids)
        """Those that this socket is to seat."""
        self._outbox = outbox
        self._observer = observer
        self._seated: set[str] = set()
        self._wanted_beat: dict[str, int] = {}
        self.on_proof: Callable[[], None] = lambda: None
        """Called with each beat that came back."""

    def confirmed(self, enterprise_id: str, *, next_beat: int) -> None:
        """The server says that changes flow, from now on: what came before has to be read. `next_beat` is the first
        that will be written after this.
        """
        self._seated.add(enterprise_id)
        self._wanted_beat[enterprise_id] = next_beat
        self._observer.unproven((enterprise_id,))
        self._outbox.put_gap((enterprise_id,), "subscribed")

    def is_proven(self, enterprise_id: str) -> bool:
        """Whether its changes were seen to flow on the seat it has."""
        return enterprise_id in self._seated and enterprise_id not in self._wanted_beat

    def left(self, enterprise_id: str) -> None:
        """The seat is lost."""
        self._seated.discard(enterprise_id)
        self._wanted_beat.pop(enterprise_id, None)

    def late(self) -> None:
        """A beat should have come back, and has not: changes are not worth waiting for."""
        self._outbox.put_late(self.enterprise_ids)

    def skipped(self, beats: int) -> None:
        """A beat came back, and so many before it did not: what was committed beside them is missing too."""
        self._outbox.put_gap(self.enterprise_ids, f"{beats} beats of the canary were lost")

    def doubted(self, reason: str, *, next_beat: int) -> None:
        """Nothing flows, as far as anybody knows."""
        self._wanted_beat = dict.fromkeys(self._seated, next_beat)
        self._observer.unproven(self.enterprise_ids, reason)
        self._outbox.put_gap(self.enterprise_ids, reason)

    def came_back(self, beat: int) -> None:
        """This beat came back: for those who waited for it, what was committed until then has to be read."""
        self._observer.proof_of_life()
        self.on_proof()
        proven = [enterprise_id for enterprise_id, wanted in self._wanted_beat.items() if wanted <= beat]
        for enterprise_id in proven:
            del self._wanted_beat[enterprise_id]
            self._observer.subscribed(enterprise_id)
        self._outbox.put_gap(proven, "changes flow")
