"""A file for each port, and one place to import them from."""

import ast
from pathlib import Path

from shared import ports

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "shared" / "ports"
FILES = sorted(file for file in PACKAGE.glob("*.py") if file.stem not in ("__init__", "store_unavailable"))


def _classes(file: Path) -> dict[str, set[str]]:
    """The classes of a file, each with the names of its bases."""
    return {
        node.name: {ast.unparse(base) for base in node.bases}
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef)
    }


def test_every_file_holds_one_port() -> None:
    assert len(FILES) > 20
    protocols = {file.stem: [name for name, bases in _classes(file).items() if "Protocol" in bases] for file in FILES}
    assert {stem: names for stem, names in protocols.items() if len(names) != 1} == {}


def test_the_package_names_all_that_its_files_define() -> None:
    defined = {name for file in PACKAGE.glob("*.py") for name in _classes(file)}

    assert defined - set(ports.__all__) == set()


def test_nobody_outside_says_where_in_the_package_a_name_stands() -> None:
    folders = ("cli", "functions", "listener", "shared", "stack", "tests", "worker")
    sources = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    outside = [path for path in sources if PACKAGE not in path.parents]

    assert len(outside) > 100
    assert [path for path in outside if "from shared.ports." in path.read_text() and path != Path(__file__)] == []
