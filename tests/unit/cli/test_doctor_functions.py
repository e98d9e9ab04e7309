"""`xnovu doctor` looks for every SQL function that this release calls."""

import ast
from collections.abc import Iterator
from pathlib import Path

from cli.doctor.database import EXPECTED_FUNCTIONS

PROJECT = Path(__file__).parents[3]
ROOMS = ("shared", "listener", "worker", "functions", "cli")
PASSED_ON = PROJECT / "worker" / "joined_ports.py"
"""Its calls have their names from others."""


def called_functions() -> Iterator[str]:
    """The names that the code gives to `call_function`, or to a store's `_call`, by which it is made."""
    for room in ROOMS:
        for file in (PROJECT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and (name := _name(node)) is not None:
                    if isinstance(name, ast.Constant):
                        yield str(name.value)
                    else:
                        assert file == PASSED_ON, f"{file}:{node.lineno}: not a name"


def _name(call: ast.Call) -> ast.expr | None:
    match call.func:
        case ast.Name("call_function"):
            return call.args[1]
        case ast.Attribute(ast.Name("self"), "_call"):
            return call.args[0]
    return None


def test_no_function_that_is_called_may_be_missing_unnoticed() -> None:
    called = set(called_functions())

    assert {"self_check", "look_at_deployment", "record_outcomes"} <= called
    assert called - EXPECTED_FUNCTIONS == set()
