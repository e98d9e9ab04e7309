"""The text of a subscription's `filter`, and the conditions it stands for."""

from __future__ import annotations

from dataclasses import dataclass

from stack.edge.realtime.elixir_terms import inspect

OPERATORS = frozenset(
    {"eq", "neq", "lt", "lte", "gt", "gte", "in", "like", "ilike", "is", "match", "imatch", "isdistinct"}
)


class FilterRefused(ValueError):
    """The text is no filter; the message is the real server's."""


@dataclass(frozen=True)
class Filter:
    """One condition on one column. The value of an `in` is the text of a PostgreSQL array."""

    column: str
    operator: str
    value: str
    negated: bool

    def as_logged(self) -> tuple[str, str, str, bool]:
        return (self.column, self.operator, self.value, self.negated)


def parse_filters(text: str) -> tuple[Filter, ...]:
    """The conditions of `text`, all of which must hold. Raises FilterRefused."""
    return tuple(_parse_segment(segment.strip()) for segment in _split(text.strip())) if text.strip() else ()


def _parse_segment(segment: str) -> Filter:
    if not segment:
        raise FilterRefused("filter must not contain empty segments (check for extra commas)")
    column, equals, condition = segment.partition("=")
    if not equals:
        raise FilterRefused(inspect([segment]))
    negated = condition.startswith("not.")
    operation = condition.removeprefix("not.")
    operator, dot, value = operation.partition(".")
    if not dot:
        raise FilterRefused(inspect([operation]))
    if operator not in OPERATORS:
        raise FilterRefused(inspect([operator, value]))
    if operator == "in":
        if not (len(value) >= 2 and value.startswith("(") and value.endswith(")")):
            raise FilterRefused("`in` filter value must be wrapped by parentheses")
        return Filter(column, operator, "{" + value[1:-1] + "}", negated)
    return Filter(column, operator, _unquoted(value), negated)


def _split(text: str) -> list[str]:
    """The parts between commas that are neither in parentheses nor in double quotes."""
    parts, current, depth, quoted, previous = [], "", 0, False, ""
    characters = iter(text)
    for character in characters:
        if quoted:
            if character == "\\":
                current += character
                character = next(characters, "")
            elif character == '"':
                quoted = False
        elif character == '"' and previous in (".", "(", ","):
            quoted = True
        elif character == "(":
            depth += 1
        elif character == ")":
            depth = max(0, depth - 1)
        elif character == "," and depth == 0:
            parts.append(current)
            current, previous = "", ""
            continue
        current += character
        previous = character
    return [*parts, current]


def _unquoted(value: str) -> str:
    """The content of a value that is one double-quoted string; any other value as it is."""
    if not value.startswith('"'):
        return value
    content = ""
    characters = iter(value[1:])
    for character in characters:
        if character == '"':
            return content if next(characters, None) is None else value
        content += next(characters, "") if character == "\\" else character
    return value
