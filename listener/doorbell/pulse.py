"""What the canary has proven of the enterprises that are heard through one socket."""

from collections.abc import Callable, Collection

from listener.doorbell.observer import FeedObserver
from listener.doorbell.outbox import Outbox


class Pulse:
    """They are heard once a beat came back that was written after the last of the seats was confirmed.

    Neither the server's word nor anybody's rings prove that: both were seen while others were lost.
    """

    def __init__(
        self,
        enterprise_ids: Collection[str],
        outbox: Outbox,
        observer: FeedObserver,
        *,
        is_covered: Callable[[], bool] = lambda: False,
    ) -> None:
        """`enterprise_ids` are those of the moment. While it `is_covered`, somebody else hears the same."""
        self._enterprise_ids = enterprise_ids
        self._outbox = outbox
        self._observer = observer
        self._is_covered = is_covered
        self._wanted_beat: int | None = None
        self.is_proven = False
        self.on_proof: Callable[[], None] = lambda: None
        """Called with each beat that came back."""

    def confirmed(self, *, next_beat: int) -> None:
        """The server says that rings come, from now on: what came before has to be read. `next_beat` is the first that
        will be written after this.
        """
        self._doubt(next_beat)
        self._observer.unproven()
        self._outbox.put_gap(self._enterprise_ids, "subscribed")

    def left(self) -> None:
        """The seats are lost."""
        self._wanted_beat, self.is_proven = None, False

    def late(self) -> None:
        """A beat should have come back, and has not: rings are not worth waiting for."""
        if not self._is_covered():
            self._outbox.put_late(self._enterprise_ids)

    def skipped(self, beats: int) -> None:
        """A beat came back, and so many before it did not: what was committed beside them is missing too."""
        self._outbox.put_gap(self._enterprise_ids, f"{beats} beats of the canary were lost")

    def doubted(self, reason: str, *, next_beat: int) -> None:
        """Nothing comes, as far as anybody knows."""
        self._doubt(next_beat)
        self._observer.unproven(reason)
        self._outbox.put_gap(self._enterprise_ids, reason)

    def came_back(self, beat: int) -> None:
        """This beat came back: if it was waited for, what was committed until then has to be read."""
        self._observer.proof_of_life()
        self.on_proof()
        if self._wanted_beat is None or beat < self._wanted_beat:
            return
        self._wanted_beat, self.is_proven = None, True
        self._observer.subscribed()
        self._outbox.put_gap(self._enterprise_ids, "changes flow")

    def _doubt(self, next_beat: int) -> None:
        self._wanted_beat, self.is_proven = next_beat, False
