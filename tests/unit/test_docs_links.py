"""What the README and the documents point to is there: files, make targets, commands and modules."""

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app

PROJECT = Path(__file__).parents[2]
DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def found(pattern: str) -> Iterator[tuple[str, str]]:
    """Each match of the pattern's group in any document, with the document's name."""
    for document in DOCUMENTS:
        for match in re.findall(pattern, document.read_text()):
            yield str(document.relative_to(PROJECT)), match


def test_every_relative_link_leads_somewhere() -> None:
    broken = [
        (document, target)
        for document, target in found(r"\]\((?!https?://|#)([^)#\s]+)")
        if not ((PROJECT / document).parent / target).exists()
    ]

    assert broken == []


def test_every_document_mentioned_is_there() -> None:
    missing = [(document, path) for document, path in found(r"\b(docs/[\w/.-]+\.md)") if not (PROJECT / path).exists()]

    assert missing == []


def test_every_file_that_a_document_names_is_one_of_the_project_s() -> None:
    """By its path or the end of it; what is below build/ is made, and what begins with / is a place on some machine."""
    files = [f"/{path.relative_to(PROJECT)}" for path in PROJECT.rglob("*.*") if ".venv" not in path.parts]
    endings = {file[at:] for file in files for at in range(len(file)) if file[at] == "/"}
    named = set(found(r"`((?:[\w.-]+/)+[\w.-]+\.(?:cjs|html|json|md|py|sql|tf|toml|ya?ml))`"))

    assert len(named) > 50
    assert [name for name in sorted(named) if f"/{name[1]}" not in endings and not name[1].startswith("build/")] == []


def test_no_decision_points_out_of_the_project() -> None:
    outside = [
        (document, path)
        for document, path in found(r"((?:\.\./)+(?!\.\./)[\w.-]+/|(?<![\w/])facts/[\w.-]+|/work/[\w.-]+)")
        if document.startswith("docs/decisions/")
        and not (path.startswith("..") and ((PROJECT / document).parent / path).exists())
    ]

    assert outside == []


def test_the_readme_leads_to_every_document() -> None:
    readme = (PROJECT / "README.md").read_text()
    names = [path.name for path in (PROJECT / "docs").glob("*.md")]

    assert len(names) > 20
    assert [name for name in names if f"](docs/{name})" not in readme and f"](docs/{name}#" not in readme] == []


def test_whoever_is_told_to_call_supabase_is_told_where_its_project_is() -> None:
    """Its commands look for `supabase/` where they are called, and ours is in `infra`."""
    folders = ("cli", "functions", "listener", "shared", "worker")
    sources = (path for folder in folders for path in (PROJECT / folder).rglob("*.py"))
    called = [
        (path.relative_to(PROJECT), line.strip())
        for path in (*DOCUMENTS, *sources)
        for line in path.read_text().splitlines()
        if re.search(r"\bsupabase (--\S+ \S+ )?(link|db (push|reset))\b", line)
    ]

    assert len(called) > 5
    assert [each for each in called if "--workdir infra" not in each[1]] == []


def test_what_supabase_s_tool_leaves_in_its_folder_is_nobody_s_to_commit() -> None:
    left = "infra/supabase/.temp/project-ref"

    assert subprocess.run(["git", "check-ignore", "--quiet", left], cwd=PROJECT).returncode == 0


def test_every_folder_in_the_readme_is_there() -> None:
    folders = re.findall(r"^\| `([\w/]+/)` \|", (PROJECT / "README.md").read_text(), re.MULTILINE)

    assert folders != []
    assert [folder for folder in folders if not (PROJECT / folder).is_dir()] == []


def test_every_make_target_is_there_and_the_readme_names_those_people_use() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    named = set(found(r"(?:`|\n)make ([\w-]+)"))

    assert {target for _, target in named} >= {"demo", "up", "test", "check", "bench"}
    assert [name for name in named if name[1] not in targets] == []


@pytest.mark.parametrize(("document", "command"), sorted(set(found(r"(?:`|\n)xnovu ([a-z]+(?: [a-z]+(?:-[a-z]+)*)*)"))))
def test_every_command_is_there(document: str, command: str) -> None:
    answer = CliRunner().invoke(app, [*command.split(), "--help"])

    assert answer.exit_code == 0, f"{document}: xnovu {command}"


@pytest.mark.parametrize(("document", "module"), sorted(set(found(r"python -m ([\w.]+)"))))
def test_every_module_that_is_run_is_there(document: str, module: str) -> None:
    spec = importlib.util.find_spec(module)

    assert spec is not None, f"{document}: python -m {module}"
    if spec.submodule_search_locations is not None:
        assert importlib.util.find_spec(f"{module}.__main__") is not None, f"{document}: python -m {module}"
