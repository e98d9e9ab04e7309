"""A mutant is of what there is: the lock that it takes out stands in the newest definition of its functions."""

import re
from collections.abc import Sequence

import pytest

from stack.postgres import MIGRATIONS
from tests.chaos.mutants import MUTANTS, Mutant, hunt


def newest_definitions(functions: Sequence[str]) -> str:
    """Their text in the last migration that defines each."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("*.sql"))]
    found = ""
    for function in functions:
        pattern = rf"create or replace function notify\.{function}\(.*?\n\$\$;"
        found += [match for text in texts for match in re.findall(pattern, text, re.DOTALL)][-1]
    return found


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.edits], ids=lambda mutant: mutant.lock)
def test_the_lock_that_a_mutant_takes_out_is_there(mutant: Mutant) -> None:
    text = newest_definitions(mutant.functions)

    assert [pattern for pattern in mutant.edits if not re.search(pattern, text)] == []


def test_every_mutant_has_something_to_take_out() -> None:
    assert [mutant.lock for mutant in MUTANTS if not mutant.edits and not mutant.of_processes] == []


@pytest.mark.whole
@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_the_ledger_finds_every_mutant() -> None:
    assert await hunt([])
