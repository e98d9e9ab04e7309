"""`xnovu doctor` looks for every SQL function that this release calls."""

import ast
from collections.abc import Iterator
from pathlib import Path

from cli.doctor.database import EXPECTED_FUNCTIONS

PROJECT = Path(__file__).parents[3]
ROOMS = ("shared", "listener", "worker", "functions", "cli")


def called_functions() -> Iterator[str]:
    """The names that the code gives to `call_function`."""
    for room in ROOMS:
        for file in (PROJECT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "call_function":
                    name = node.args[1]
                    assert isinstance(name, ast.Constant), f"{file}:{node.lineno}: not a name"
                    yield str(name.value)


def test_no_function_that_is_called_may_be_missing_unnoticed() -> None:
    called = set(called_functions())

    assert {"self_check", "look_at_health", "record_outcomes"} <= called
    assert called - EXPECTED_FUNCTIONS == set()
