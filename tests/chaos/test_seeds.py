"""`make chaos` in short: a few seconds of each of these seeds, on one stack. A seed that has failed joins them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.bed import Bed, running_bed
from tests.chaos.ledger import Finding
from tests.chaos.run import run_seed

SEEDS = (1, 2, 3)
ENTERPRISES = tuple(f"chaos-{number}" for number in range(5))
SECONDS, ROWS_PER_SECOND, RULES = 6.0, 30.0, 2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bed]:
    async with running_bed(tmp_path_factory.mktemp("seeds"), ENTERPRISES, heeds_idempotency=False) as running:
        yield running


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_breaks_everybody_gets_what_is_theirs_once(bed: Bed, seed: int) -> None:
    outcome = await run_seed(bed, seed, seconds=SECONDS, rows_per_second=ROWS_PER_SECOND, rules=RULES)

    # How long all of it takes is the machine's: `make chaos` counts what is late, and nothing open is left here either.
    wrong = [entry for entry in outcome.faults if entry.finding is not Finding.LATE]
    assert not wrong, [entry.what for entry in wrong[:5]]
    assert outcome.strikes, "something broke"
    # How many are written in so many seconds is the machine's, too.
    assert outcome.arrivals > outcome.rows / 2, "and something was sent"
