"""From when on something is not as it should be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Seconds. Something without an answer is degraded at once and unhealthy after `answer_within`."""

    answer_within: float = 10.0
    waiting_degraded: float = 10.0
    """A row or task that waits so long: most are under way within half a second of being due."""
    waiting_unhealthy: float = 300.0
    in_hands_degraded: float = 120.0
    """A row that one worker holds for so long without a fault: 100,000 recipients take less."""
    pass_overdue_degraded: float = 30.0
    pass_overdue_unhealthy: float = 300.0
    unheard_unhealthy: float = 60.0
    """An enterprise that no living listener has: others take over whom a dead one had within half of it."""
    lost_forgotten: float = 300.0
    """After which a lost process is no problem by itself, where others do its work."""
    novu_slow: float = 4.0
    """An answer takes a tenth of a second; a heartbeat and a look later this has to show within 15 s."""
    novu_failing_unhealthy: float = 60.0
    novu_forgotten: float = 300.0
    """Without any call for so long, Novu's last fault says nothing any more."""
    novu_idle: float = 15.0
    """Nor does it after so long where no row is in anybody's hands: nothing is to be sent."""
