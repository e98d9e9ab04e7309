"""How often a call of autoscale looks at the queue: once, or several times in the minute that is between Cloud
Scheduler's calls (decision 0080).
"""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from functions.problems import Problem, ProblemCode

MINUTE_SECONDS = 60.0
"""Cloud Scheduler calls no more often."""

MOST_LOOKS = 4

LOOK_SECONDS = 8.0
"""A look has answered by then: a tick has 6 s, and the first opens connections before it."""

CALL_SECONDS = MINUTE_SECONDS - MINUTE_SECONDS / MOST_LOOKS + LOOK_SECONDS + 1.0
"""The longest call has answered by then, and before the next one comes."""


def parse_looks(request: Request) -> int:
    """The query parameter `looks`. Raises Problem `invalid_request`."""
    asked = request.query_params.get("looks", "1")
    if asked not in {str(number) for number in range(1, MOST_LOOKS + 1)}:
        raise Problem(ProblemCode.INVALID_REQUEST, f"looks must be a whole number from 1 to {MOST_LOOKS}")
    return int(asked)


async def when_to_look(looks: int) -> AsyncIterator[None]:
    """So many times, evenly over a minute, however long what is done in between takes; the first at once."""
    clock = asyncio.get_running_loop()
    begun = clock.time()
    for number in range(looks):
        await asyncio.sleep(max(0.0, begun + number * MINUTE_SECONDS / looks - clock.time()))
        yield
