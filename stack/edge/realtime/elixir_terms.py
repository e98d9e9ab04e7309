"""Values as Elixir's `inspect` prints them: the real server puts them into its error texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

_LINE_WIDTH = 80
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", "\a": "\\a", "\b": "\\b"}


def inspect(value: object, indent: int = 0) -> str:
    """`value` as Elixir code, wrapped at 80 columns; dictionaries are maps, tuples tuples, None is nil.

    `indent` is the column the text starts at.
    """
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        entries = [(f"{inspect(key)} => ", entry) for key, entry in sorted(value.items())]
        return _container("%{", entries, "}", indent)
    if isinstance(value, tuple):
        return _container("{", [("", entry) for entry in value], "}", indent)
    if isinstance(value, list):
        return _container("[", [("", entry) for entry in value], "]", indent)
    return str(value)


def _string(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(character, character) for character in text).replace("#{", "\\#{") + '"'


def _container(opening: str, entries: Sequence[tuple[str, object]], closing: str, indent: int) -> str:
    """On one line if that fits; else filled (only plain values inside) or one entry a line (anything nested)."""

    def at(column: int) -> Callable[[tuple[str, object]], str]:
        return lambda entry: entry[0] + inspect(entry[1], column + len(entry[0]))

    flat = opening + ", ".join(map(at(0), entries)) + closing
    if indent + len(flat) <= _LINE_WIDTH and "\n" not in flat:
        return flat
    plain = not any(isinstance(entry, Mapping | tuple | list) for _, entry in entries)
    if plain and opening != "%{":
        return opening + _filled([inspect(entry) for _, entry in entries], indent + len(opening)) + closing
    margin = " " * (indent + 2)
    return (
        f"{opening}\n" + ",\n".join(margin + at(indent + 2)(entry) for entry in entries) + f"\n{' ' * indent}{closing}"
    )


def _filled(entries: Sequence[str], indent: int) -> str:
    """As many entries on each line as its width takes."""
    text = entries[0]
    column = indent + len(text)
    for entry in entries[1:]:
        if column + len(", ") + len(entry) + len(",") <= _LINE_WIDTH:
            text, column = f"{text}, {entry}", column + len(", ") + len(entry)
        else:
            text, column = f"{text},\n{' ' * indent}{entry}", indent + len(entry)
    return text
