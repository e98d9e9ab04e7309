"""Knows when further requests are not worth making."""

from shared.novu.answers import Answered
from shared.ports import TriggerFault, TriggerResult, TriggerUnknown

FAULTS_THAT_MEAN_AN_OUTAGE = 3
"""Requests in a row that met nothing but faults. It bounds the time spent on a Novu that does not answer."""


class Outage:
    """Watches the answers to one caller's requests; once `fault` is set, it is what all further events would get."""

    def __init__(self) -> None:
        self.fault: TriggerFault | None = None
        self._in_a_row = 0

    def observe(self, answered: Answered) -> list[TriggerResult]:
        """Take note of an answer, and pass its results on."""
        faults = [result for result in answered.results if isinstance(result, TriggerFault | TriggerUnknown)]
        if len(faults) < len(answered.results):
            self._in_a_row = 0
            return answered.results
        self._in_a_row += 1
        if answered.concerns_every_request or self._in_a_row >= FAULTS_THAT_MEAN_AN_OUTAGE:
            first = faults[0]
            # Whatever became of the call that met it: what is not sent any more has not been taken.
            self.fault = self.fault or (
                first if isinstance(first, TriggerFault) else TriggerFault(first.reason, first.retry_after_seconds)
            )
        return answered.results
