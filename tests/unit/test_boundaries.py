"""Where a foreign exception becomes one of ours it ends: no cause rides along, for whoever logs it to tell."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

IN_THE_CHILD = ROOT / "worker" / "rendering"
"""Runs in a process of its own, which answers with refusals and prints no exception's text."""

SOURCES = sorted(
    path
    for package in ("cli", "functions", "listener", "shared", "worker")
    for path in (ROOT / package).rglob("*.py")
    if not path.is_relative_to(IN_THE_CHILD)
)


def kept_causes(source: str) -> Iterator[int]:
    """The lines that raise from anything but None."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and node.cause is not None and not isinstance(node.cause, ast.Constant):
            yield node.lineno


def test_a_kept_cause_is_found() -> None:
    source = (
        "try:\n    f()\nexcept KeyError as error:\n    raise A from error\nexcept ValueError:\n    raise B from None"
    )

    assert list(kept_causes(source)) == [4]


def test_no_cause_is_carried_along() -> None:
    assert len(SOURCES) > 100
    assert {path: lines for path in SOURCES if (lines := list(kept_causes(path.read_text())))} == {}


def test_every_client_of_temporal_is_made_in_one_place() -> None:
    makers = [path for path in SOURCES if "Client.connect(" in path.read_text()]

    assert makers == [ROOT / "shared" / "temporal" / "client.py"]
