"""Every place in our code at which something is awaited, read from its byte code: a new await is one more of them."""

import dis
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class AwaitPoint:
    """`await`, the way into or out of `async with`, or a turn of `async for`.

    `offsets` are the instructions before which to raise: an `async with` is left in several ways. Into what is not
    begun yet an exception comes in the place of the awaited; out of an `async with`, after it, because what it holds
    is to be let go of in any case. `leaving` are those at which it begins to be let go of.
    """

    file: str
    function: str
    line: int
    column: int
    kind: str
    offsets: frozenset[int] = field(compare=False)
    leaving: frozenset[int] = field(compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.function} ({self.kind})"


def await_points(*modules: str) -> list[AwaitPoint]:
    """Of these modules, in the order of their text."""
    return [point for module in modules for point in _points_of(_source(module))]


def modules_of(*packages: str) -> list[str]:
    """The names of all modules of these packages, deeper ones too."""
    files = [file for package in packages for file in (PROJECT / package.replace(".", "/")).rglob("*.py")]
    return sorted(
        ".".join(file.relative_to(PROJECT).with_suffix("").parts) for file in files if file.name != "__init__.py"
    )


def _source(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def _points_of(file: Path) -> list[AwaitPoint]:
    name = str(file.relative_to(PROJECT))
    found: dict[tuple[str, int, int, str], set[tuple[int, int]]] = {}
    for code in _code_objects(compile(file.read_text("utf-8"), name, "exec", dont_inherit=True)):
        for kind, offset, instruction in _awaits_in(code):
            position = instruction.positions
            assert position is not None
            key = (code.co_qualname, position.lineno or 0, position.col_offset or 0, kind)
            found.setdefault(key, set()).add((offset, instruction.offset))
    points = [
        AwaitPoint(name, *key, frozenset(at for at, _ in offsets), frozenset(begun for _, begun in offsets))
        for key, offsets in found.items()
    ]
    return sorted(points, key=lambda point: (point.line, point.column, point.kind))


def _code_objects(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_objects(constant)


def _awaits_in(code: CodeType) -> Iterator[tuple[str, int, dis.Instruction]]:
    """Kind, the offset before which to raise, and the instruction whose place is the await's."""
    instructions = list(dis.get_instructions(code))
    for number, instruction in enumerate(instructions):
        if instruction.opname == "GET_ANEXT":
            yield "async for", instruction.offset, instruction
        elif instruction.opname == "GET_AWAITABLE" and instruction.arg == 2:
            send = next(each for each in instructions[number:] if each.opname == "SEND")
            yield "async with, out", send.argval, instruction
        elif instruction.opname == "GET_AWAITABLE":
            yield "async with, in" if instruction.arg == 1 else "await", instruction.offset, instruction
