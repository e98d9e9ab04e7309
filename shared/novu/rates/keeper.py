"""`RateKeeper`: tokens for a process's requests, taken in blocks from what the whole deployment shares."""

import asyncio
import logging
import math
import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.novu import measured
from shared.novu.rates.fair_queue import Ask, FairQueue
from shared.novu.rates.limits import BURST_SECONDS, Limits, told_per_second
from shared.novu.rates.unmetered import BULK_PAYS_FROM
from shared.novu.retry_after import retry_after_seconds
from shared.ports import FaultCode, NovuTokens, PutOff, RateCategory, StoreUnavailable
from shared.telemetry.metric import duration

_wait = duration(measured.TOKEN_WAIT)

log = logging.getLogger("NovuRates")

BULK_COST = 100
"""Tokens, whatever a bulk request holds."""

BULK_SECONDS = 0.25
"""Where a bulk's tokens gather in so little time, it makes nobody wait; below, events go singly."""

KEPT_SECONDS = 1.0
"""For so long tokens that nobody asked for are kept; others' bursts are then still within Novu's."""

SPARE_SECONDS = 0.1
"""So many seconds' tokens are taken beyond what is needed, while there are plenty: not a statement for each request."""

STORE_PAUSE_SECONDS = 2.0
"""Until the database is asked again, if it did not answer."""

SHORTEST_PAUSE_SECONDS = 1.0

PROBE_SECONDS = 120.0

PACE_WEIGHT = 0.3
"""Of the latest block, in what a process gets for itself."""

PAYMENT_REQUIRED = "HTTP 402: the plan's events are used up, or the organisation is paused; see Novu's billing page"

RATE_USED_UP = "HTTP 429: Novu's rate is used up"

_PASSED_PAYMENT = frozenset({400, 413, 422})
_NOT_COUNTED_PER_SECOND = 1e6


@dataclass(slots=True)
class _Bucket:
    """One category's."""

    queue: FairQueue = field(default_factory=FairQueue)
    told: float | None = None
    kept: int = 0
    kept_until: float = 0.0
    closed: PutOff | None = None
    closed_until: float = 0.0
    unpaid_since: datetime | None = None
    pace: float | None = None
    serving: asyncio.Task[None] | None = None


class RateKeeper:
    """Port `NovuRates`. Where neither plan nor setting nor Novu names a rate, nothing waits and no database is asked.

    Of one event loop. A block is used whole at the moment when all of its tokens have gathered, and the next is taken
    then: so a process has at most one block ahead, and loses no more if it dies.
    """

    def __init__(self, tokens: NovuTokens, limits: Limits, *, probe_seconds: float = PROBE_SECONDS) -> None:
        """`probe_seconds`: how often a request finds out whether Novu, which wanted to be paid, takes them again."""
        self._tokens = tokens
        self._limits = limits
        self._probe_seconds = probe_seconds
        self._buckets: dict[RateCategory, _Bucket] = {
            "trigger": _Bucket(),
            "configuration": _Bucket(),
            "global": _Bucket(),
        }

    def per_second(self, category: RateCategory) -> float | None:
        """Tokens a second that this deployment uses; None: not counted."""
        return self._limits.of(category, self._buckets[category].told)

    def closed(self, category: RateCategory) -> PutOff | None:
        """Why nothing of the category is asked of Novu now, as far as is known here."""
        bucket = self._buckets[category]
        left = bucket.closed_until - _now()
        if bucket.closed is None or left <= 0:
            return None
        return PutOff(max(left, SHORTEST_PAUSE_SECONDS), bucket.closed.code, bucket.closed.reason)

    def pace(self, category: RateCategory) -> float | None:
        """Tokens a second that this process gets lately, others asking too; None: not counted."""
        bucket = self._buckets[category]
        per_second = self._limits.of(category, bucket.told)
        is_served = bucket.serving is not None and not bucket.serving.done()
        if per_second is None or bucket.pace is None or not is_served:
            return per_second
        return min(bucket.pace, per_second)

    def bulk_from(self, category: RateCategory) -> int:
        if self._buckets[category].unpaid_since is not None:
            return sys.maxsize
        per_second = self.per_second(category)
        if per_second is None:
            return BULK_PAYS_FROM
        return BULK_COST if per_second * BULK_SECONDS >= BULK_COST else sys.maxsize

    async def take(
        self, category: RateCategory, lane: Hashable, *, cost: int = 1, within_seconds: float
    ) -> PutOff | None:
        bucket = self._buckets[category]
        per_second = self.per_second(category)
        if per_second is None and bucket.unpaid_since is None:
            return None
        if closed := self.closed(category):
            return closed
        if not bucket.queue and bucket.kept >= cost and _now() < bucket.kept_until:
            bucket.kept -= cost
            return None
        answer: asyncio.Future[PutOff | None] = asyncio.get_running_loop().create_future()
        ask = Ask(lane, cost, lambda put_off: None if answer.done() else answer.set_result(put_off))
        bucket.queue.add(ask)
        if bucket.serving is None or bucket.serving.done():
            bucket.serving = asyncio.create_task(self._serve(category, bucket))
        began = _now()
        try:
            async with asyncio.timeout(within_seconds):
                return await answer
        except TimeoutError:
            seconds = bucket.queue.missing / per_second if per_second else SHORTEST_PAUSE_SECONDS
            return PutOff(max(seconds, SHORTEST_PAUSE_SECONDS), FaultCode.NOVU_RATE, "its turn has not come")
        finally:
            self._keep(bucket, bucket.queue.withdraw(ask))
            _wait.record(_now() - began, {"xnovu.novu.category": category})

    async def heed(self, category: RateCategory, status: int, headers: Mapping[str, str]) -> None:
        bucket = self._buckets[category]
        told = told_per_second(headers)
        if told is not None and told != bucket.told:
            bucket.told = told
            log.info("novu_rate_told", extra={"category": category, "per_second": told})
        try:
            if status == 402:
                await self._note_unpaid(category, bucket)
            elif bucket.unpaid_since is not None and (status < 400 or status in _PASSED_PAYMENT):
                bucket.unpaid_since, bucket.closed = None, None
                log.info("novu_paid", extra={"category": category})
                await self._tokens.note_payment(category, required=False, probe_seconds=self._probe_seconds)
            elif status == 429 and self.per_second(category) is not None:
                await self._pause(category, bucket, headers)
        except StoreUnavailable as error:
            # Others find out for themselves.
            log.warning("novu_rate_not_shared", extra={"category": category, "error": str(error)})

    async def _note_unpaid(self, category: RateCategory, bucket: _Bucket) -> None:
        if bucket.unpaid_since is None:
            bucket.unpaid_since = datetime.now(UTC)
            log.error("novu_payment_required", extra={"category": category, "hint": PAYMENT_REQUIRED})
        self._close(bucket, PutOff(self._probe_seconds, FaultCode.NOVU_PAYMENT_REQUIRED, PAYMENT_REQUIRED))
        await self._tokens.note_payment(category, required=True, probe_seconds=self._probe_seconds)

    async def _pause(self, category: RateCategory, bucket: _Bucket, headers: Mapping[str, str]) -> None:
        seconds = max(retry_after_seconds(headers) or 0.0, SHORTEST_PAUSE_SECONDS)
        if bucket.closed_until - _now() >= seconds / 2:
            return  # one of several that were under way
        log.warning("novu_rate_used_up", extra={"category": category, "seconds": seconds})
        self._close(bucket, PutOff(seconds, FaultCode.NOVU_RATE, RATE_USED_UP))
        await self._tokens.pause(category, seconds)

    async def _serve(self, category: RateCategory, bucket: _Bucket) -> None:
        """Hand out blocks as long as somebody waits."""
        bucket.pace = None
        given_at = _now()
        while bucket.queue:
            per_second = self.per_second(category) or _NOT_COUNTED_PER_SECOND
            try:
                block = await self._tokens.take(
                    category,
                    needed=bucket.queue.missing,
                    spare=math.ceil(per_second * SPARE_SECONDS),
                    per_second=per_second,
                    burst=per_second * BURST_SECONDS,
                    probe_seconds=self._probe_seconds,
                )
            except Exception as error:  # whatever it is: those who wait are to hear of it, and come again
                log.warning("novu_tokens_not_given", exc_info=error, extra={"category": category})
                self._close(bucket, PutOff(STORE_PAUSE_SECONDS, FaultCode.NOVU_RATE, "the database gives no tokens"))
                return
            bucket.unpaid_since = block.unpaid_since
            if not block.granted:
                unpaid = block.unpaid_since is not None
                code = FaultCode.NOVU_PAYMENT_REQUIRED if unpaid else FaultCode.NOVU_RATE
                self._close(bucket, PutOff(block.wait_seconds, code, PAYMENT_REQUIRED if unpaid else RATE_USED_UP))
                return
            await asyncio.sleep(block.wait_seconds)
            self._keep(bucket, bucket.queue.give(block.granted))
            bucket.pace = _mean(bucket.pace or per_second, block.granted / max(_now() - given_at, 1e-3))
            given_at = _now()

    def _keep(self, bucket: _Bucket, tokens: int) -> None:
        """For whoever comes within a moment; those of earlier are lost with them."""
        if tokens:
            bucket.kept = tokens + (bucket.kept if _now() < bucket.kept_until else 0)
            bucket.kept_until = _now() + KEPT_SECONDS

    def _close(self, bucket: _Bucket, put_off: PutOff) -> None:
        bucket.closed, bucket.closed_until, bucket.kept = put_off, _now() + put_off.seconds, 0
        bucket.queue.refuse(put_off)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _mean(earlier: float, latest: float) -> float:
    return earlier + (latest - earlier) * PACE_WEIGHT
