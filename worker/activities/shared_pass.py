"""A pass of a scheduler that many enterprises share: each is seen to by itself, all of them side by side."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from shared.exception_text import describe
from worker.meeting import side_by_side

log = logging.getLogger("SharedSchedulers")

AT_ONCE = 250
"""Enterprises whose calls are gathered in one statement."""

AFTER_A_STUMBLE_SECONDS = 10.0
"""An enterprise whose pass met a fault is seen to again after this; the others do not wait for it."""


async def see_to_each(
    enterprise_ids: Sequence[str], see_to: Callable[[str], Awaitable[None]], *, what: str
) -> frozenset[str]:
    """See to all of them; returns those whose pass met a fault, which the log names."""
    stumbled: set[str] = set()
    for first in range(0, len(enterprise_ids), AT_ONCE):
        some = enterprise_ids[first : first + AT_ONCE]
        for enterprise_id, error in (await side_by_side({each: partial(see_to, each) for each in some})).items():
            stumbled.add(enterprise_id)
            log.error(
                "scheduler_pass_failed",
                extra={"scheduler": what, "enterprise_id": enterprise_id, "reason": describe(error)},
            )
    return frozenset(stumbled)
