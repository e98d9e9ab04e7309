"""A console block in a document shows what somebody types and sees: each is typed by a test."""

from pathlib import Path

from tests.e2e.test_docs_novu import SECTION
from tests.e2e.test_runbook import BLOCK

PROJECT = Path(__file__).parents[2]
FENCE = "```console\n"


def _blocks(name: str) -> int:
    return (PROJECT / "docs" / name).read_text().count(FENCE)


def test_only_documents_that_a_test_types_have_console_blocks() -> None:
    documents = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")]

    assert {document.name for document in documents if FENCE in document.read_text()} == {
        *("novu.md", "quickstart.md", "runbook.md")
    }


def test_each_of_their_blocks_is_among_those_that_are_typed() -> None:
    text = {name: (PROJECT / "docs" / name).read_text() for name in ("novu.md", "quickstart.md", "runbook.md")}
    [section] = SECTION.findall(text["novu.md"])
    typed = text["quickstart.md"].partition("## 1. Start")[2].partition("\n## 4.")[0]

    assert _blocks("novu.md") == section.count(FENCE)
    assert _blocks("runbook.md") == len(BLOCK.findall(text["runbook.md"]))
    assert _blocks("quickstart.md") == typed.count(FENCE)
