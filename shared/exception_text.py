"""What an exception may tell outside the process that met it. Pure.

Whoever raised a foreign one (a library's, the interpreter's) was free to quote what it choked on: a value, a row, a
header. So of these the type and the place are told, never the text. Ours are written to be read.
"""

import errno
import traceback
from collections.abc import Iterator
from types import TracebackType

_OURS = frozenset({"cli", "functions", "listener", "shared", "stack", "worker", "temporalio"})
"""Packages whose exceptions quote nothing. Temporal's SDK tells of workflows, which hold nothing personal."""

_MOST = 20
"""Exceptions of one chain or group; more say nothing new."""

_CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
_MEANWHILE = "\nDuring handling of the above exception, another exception occurred:\n\n"


def is_ours(error: BaseException) -> bool:
    """Whether the text of this exception may be told."""
    return type(error).__module__.partition(".")[0] in _OURS


def describe(error: BaseException) -> str:
    """In a line: the type; with the text if it is ours, with the system's symbol if it is the system's.

    >>> describe(ValueError("invalid name: 'Ada'")), describe(ConnectionRefusedError(errno.ECONNREFUSED, "at Ada's"))
    ('ValueError', 'ConnectionRefusedError (ECONNREFUSED)')
    """
    name = type(error).__name__
    if is_ours(error):
        text = str(error)
        return f"{name}: {text}" if text else name
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return f"{name} ({errno.errorcode[error.errno]})"
    if isinstance(error, BaseExceptionGroup):
        return f"{name} ({', '.join(map(describe, _members(error)))})"
    return name


def place(trace: TracebackType | None) -> str:
    """Where it was raised, such as ` in encode (packing.py:56)`; nothing if it never was."""
    frames = traceback.extract_tb(trace)
    if not frames:
        return ""
    last = frames[-1]
    return f" in {last.name} ({last.filename.rpartition('/')[2]}:{last.lineno})"


def full_text(error: BaseException) -> str:
    """As Python prints a traceback, causes first, without the texts of foreign exceptions and without notes."""
    return "".join(reversed([f"{_by_itself(one)}\n{link}" for one, link in _linked(error)])).rstrip("\n")


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, its members if it is a group, its cause (or what it was raised in place of), and so on."""
    for one, _ in _linked(error):
        yield one
        for member in _members(one):
            yield from chain(member)


def _by_itself(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    head = "Traceback (most recent call last):\n" if frames else ""
    members = "".join(f"\n\nOne of its members:\n\n{full_text(member)}" for member in _members(error))
    return f"{head}{frames}{describe(error)}{members}"


def _linked(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Each exception of the chain, latest first, with the words that lead from it to the one after it."""
    link = ""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen and len(seen) < _MOST:
        seen.add(id(following))
        yield following, link
        if following.__cause__ is not None:
            link, following = _CAUSED, following.__cause__
        else:
            link, following = _MEANWHILE, None if following.__suppress_context__ else following.__context__


def _members(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions[:_MOST] if isinstance(error, BaseExceptionGroup) else ()
