"""No file of ours imports, by whatever way round, a file that imports it: not for its types, either."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "functions", "listener", "shared", "stack", "worker")


def modules() -> dict[str, Path]:
    """By name; a package is its `__init__`."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imported(source: str, known: Mapping[str, object]) -> Iterator[str]:
    """Those of ours that it names, wherever in the file: a name imported from a package may be a module of it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                module = f"{node.module}.{name.name}"
                yield module if module in known else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def find_circle(sources: Mapping[str, str]) -> list[str]:
    """One of them, if there is one."""
    graph = {
        name: {other for other in imported(text, sources) if other in sources} - {name}
        for name, text in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def test_no_file_is_in_a_circle() -> None:
    sources = {name: file.read_text() for name, file in modules().items()}

    assert len(sources) > 400
    assert find_circle(sources) == []


@pytest.mark.parametrize("back", ["import cli.a", "from cli import a", "if TYPE_CHECKING:\n    from cli.a import A"])
def test_a_circle_is_found(back: str) -> None:
    assert set(find_circle({"cli.a": "from cli.b import B", "cli.b": back})) == {"cli.a", "cli.b"}
