"""examples/files is as docs/files.md has it, and nothing is wrong with it."""

import re
from pathlib import Path

import pytest

from cli.files.directory import read_directory
from cli.files.rows import Surroundings
from cli.files.validation import find_faults
from worker.render_pool.pool import RenderPool

PROJECT = Path(__file__).parents[4]
EXAMPLES = PROJECT / "examples" / "files"


def test_the_document_has_the_examples_as_they_are() -> None:
    document = (PROJECT / "docs" / "files.md").read_text()

    blocks = re.findall(r"`examples/files/(\S+)`:\n\n```yaml\n(.*?)```", document, flags=re.DOTALL)

    assert dict(blocks) == {
        path.relative_to(EXAMPLES).as_posix(): path.read_text() for path in EXAMPLES.rglob("*.yaml")
    }
    assert len(blocks) == 3


@pytest.mark.real_time
async def test_nothing_is_wrong_with_the_examples() -> None:
    found = read_directory(EXAMPLES)
    pool = RenderPool()
    try:
        faults = await find_faults(pool, "acme", found.enterprises["acme"], Surroundings())
    finally:
        await pool.close()

    assert (found.problems, found.unused, faults) == ([], [], [])
    assert len(found.enterprises["acme"]) == 3
