"""A column, or a place within its JSON: `payload`, `payload->order->>number`, `payload->lines->0`."""

from __future__ import annotations

from dataclasses import dataclass

from stack.edge.rest.text_cursor import TextCursor

# What may follow a number for it to be the place in an array; before anything else it is a key.
_ENDS_INDEX = ("->", "::", ".", ",")
_ENDS_KEY = "(-:.,>)"


@dataclass(frozen=True)
class JsonStep:
    """One arrow and what it points at. `as_text` is `->>`; `is_index` is a place in an array, `-1` the last."""

    key: str
    is_index: bool
    as_text: bool


@dataclass(frozen=True)
class Field:
    column: str
    path: tuple[JsonStep, ...] = ()

    @property
    def output_name(self) -> str | None:
        """What an output column is called when the client does not say: the last key of a path.

        None where PostgreSQL's own choice, the column's name, is the one.
        """
        if not self.path:
            return None
        return next((step.key for step in reversed(self.path) if not step.is_index), self.column)


def read_field(cursor: TextCursor) -> Field:
    """The field at `cursor`. Raises RestError PGRST100 where there is none."""
    return Field(cursor.field_name(), read_path(cursor))


def read_path(cursor: TextCursor) -> tuple[JsonStep, ...]:
    """The arrows at `cursor`; none if there are none."""
    steps: list[JsonStep] = []
    while cursor.rest.startswith("->"):
        as_text = cursor.take("->>")
        if not as_text:
            cursor.take("->")
        index = _index(cursor.rest)
        if index:
            cursor.take(index)
        steps.append(JsonStep(index or _key(cursor), bool(index), as_text))
    return tuple(steps)


def _index(rest: str) -> str:
    unsigned = rest.removeprefix("-")
    digits = unsigned[: len(unsigned) - len(unsigned.lstrip("0123456789"))]
    after = unsigned[len(digits) :]
    return rest[: len(rest) - len(after)] if digits and (not after or after.startswith(_ENDS_INDEX)) else ""


def _key(cursor: TextCursor) -> str:
    if cursor.rest.startswith('"'):
        return cursor.quoted()
    key = cursor.take_until(_ENDS_KEY)
    while cursor.rest.startswith("-") and not cursor.rest.startswith("->"):
        cursor.take("-")
        key += "-" + cursor.take_until(_ENDS_KEY)
    if not key.strip():
        raise cursor.error("any non reserved character different from: .,>()")
    return key.strip()
