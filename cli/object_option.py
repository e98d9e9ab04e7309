"""An option that is a JSON object: as it stands there, or from a file."""

import json
import sys
from pathlib import Path
from typing import Any

from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint

_SUCH_AS = '{"name": "Ada"}'


def read_object(option: str, text: str) -> dict[str, Any]:
    """The object that `text` is, or that is in the file behind its @ (`@-`: standard input). Leaves with a hint for
    anything else.
    """
    if not text.startswith("@"):
        return _object(option, text, option, f"in quotes: {option} '{_SUCH_AS}'")
    if text == "@":
        exit_with_hint(f"{option} names no file.", f"such as {option} @order.json.", EXIT_NOTHING_KNOWN)
    return read_object_file(option, Path(text[1:]))


def read_object_file(option: str, path: Path) -> dict[str, Any]:
    """The object in a file, or in standard input for `-`. Leaves with line and column for anything else."""
    if str(path) == "-":
        return _object(option, sys.stdin.read(), f"{option}: standard input", f"such as {_SUCH_AS}.")
    return _object(option, read_text(option, path), f"{option}: {path}", f"such as {_SUCH_AS}.")


def read_text(option: str, path: Path) -> str:
    """What a text file holds. Leaves with a hint for what cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        exit_with_hint(f"{option}: {path} cannot be read: {reason}.", "name a text file.", EXIT_NOTHING_KNOWN)


def _object(option: str, text: str, subject: str, hint: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        exit_with_hint(
            f"{subject} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.", hint, EXIT_NOTHING_KNOWN
        )
    except (ValueError, RecursionError) as error:
        exit_with_hint(f"{subject} is not JSON: {error}.", hint, EXIT_NOTHING_KNOWN)
    if not isinstance(value, dict):
        holds = "is" if subject == option else "holds"
        exit_with_hint(f"{subject} {holds} no JSON object.", f"such as {option} '{_SUCH_AS}'", EXIT_NOTHING_KNOWN)
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
