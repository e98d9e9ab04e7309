"""Liquid's filters of lists. A value that is no list counts as a list of itself, nil as an empty one."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from liquid.filter import flatten

from worker.rendering.template_errors import FilterRefused
from worker.rendering.value_text import join_text, json_text, liquid_text


def items_of(value: object) -> list[Any]:
    """The items of a list, those of lists in it among them; of a range its numbers."""
    if value is None:
        return []
    if isinstance(value, range):
        return list(value)
    return flatten(value) if isinstance(value, list | tuple) else [value]


def member(item: object, name: object) -> object:
    """An object's member of that name; nil if there is none, or no object."""
    return item.get(liquid_text(name)) if isinstance(item, dict) else None


def _same(left: object, right: object) -> bool:
    """Equal to people: 1 is not true."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _test(name: object, value: object) -> Callable[[object], bool]:
    """Whether an item has the member, with that value or, without one, any but nil and false."""
    if value is None:
        return lambda item: member(item, name) is not None and member(item, name) is not False
    return lambda item: _same(member(item, name), value)


def _rank(value: object) -> tuple[Any, ...]:
    """Numbers before text before anything else; nil last."""
    match value:
        case None:
            return (3,)
        case int() | float() if not isinstance(value, bool):
            return (0, value)
        case str():
            return (1, str(value))
        case _:
            return (2, liquid_text(value))


def _sorted(value: object, name: object, rank: Callable[[object], tuple[Any, ...]]) -> list[Any]:
    return sorted(items_of(value), key=lambda item: rank(item if name is None else member(item, name)))


def _natural_rank(value: object) -> tuple[Any, ...]:
    return (1,) if value is None else (0, str(liquid_text(value)).lower())


def _identity(value: object) -> tuple[Any, ...]:
    return (4, json_text(value)) if isinstance(value, dict | list) else (isinstance(value, bool), *_rank(value))


def _uniq(value: object, name: object = None) -> list[Any]:
    first: dict[tuple[Any, ...], Any] = {}
    for item in items_of(value):
        first.setdefault(_identity(item if name is None else member(item, name)), item)
    return list(first.values())


def _concat(value: object, other: object) -> list[Any]:
    if not isinstance(other, list | tuple | range | None):
        raise FilterRefused("concat", "takes a list")
    return [*items_of(value), *items_of(other)]


def _compact(value: object, name: object = None) -> list[Any]:
    return [item for item in items_of(value) if (item if name is None else member(item, name)) is not None]


def _join(value: object, separator: object = " ") -> str:
    return join_text(" " if separator is None else liquid_text(separator), map(liquid_text, items_of(value)))


def _end(position: int) -> Callable[[object], object]:
    def at(value: object) -> object:
        if isinstance(value, dict):
            value = [[name, item] for name, item in value.items()]
        return value[position] if isinstance(value, list | tuple | range | str) and len(value) else None

    return at


def _find_index(value: object, name: object, sought: object = None) -> int | None:
    test = _test(name, sought)
    return next((index for index, item in enumerate(items_of(value)) if test(item)), None)


def _find(value: object, name: object, sought: object = None) -> object:
    return next(filter(_test(name, sought), items_of(value)), None)


LIST_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "compact": _compact,
    "concat": _concat,
    "find": _find,
    "find_index": _find_index,
    "first": _end(0),
    "has": lambda value, name, sought=None: any(map(_test(name, sought), items_of(value))),
    "join": _join,
    "last": _end(-1),
    "map": lambda value, name: [member(item, name) for item in items_of(value)],
    "reject": lambda value, name, sought=None: [i for i in items_of(value) if not _test(name, sought)(i)],
    "reverse": lambda value: items_of(value)[::-1],
    "sort": lambda value, name=None: _sorted(value, name, _rank),
    "sort_natural": lambda value, name=None: _sorted(value, name, _natural_rank),
    "uniq": _uniq,
    "where": lambda value, name, sought=None: list(filter(_test(name, sought), items_of(value))),
}
