"""Many subscriber ids, held as few long texts: as objects of their own they take five times the memory. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import overload

PAGE = 100
"""Ids in one text: as many as Novu takes in one event."""

MANY = 1_000
"""From so many on it is worth it."""

_BETWEEN = "\0"
"""Which no text of PostgreSQL's can hold."""


class Crowd(Sequence[str]):
    """The ids in their order; each is made anew whenever it is read."""

    __slots__ = ("_length", "_pages")

    def __init__(self, ids: Iterable[str]) -> None:
        rest = iter(ids)
        pages = []
        self._length = 0
        while page := tuple(islice(rest, PAGE)):
            pages.append(_BETWEEN.join(page))
            self._length += len(page)
        self._pages = tuple(pages)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        for page in self._pages:
            yield from page.split(_BETWEEN)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...

    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        places = range(self._length)[place]
        if isinstance(places, int):
            return self._pages[places // PAGE].split(_BETWEEN)[places % PAGE]
        return tuple(self[each] for each in places)

    def __repr__(self) -> str:
        return f"Crowd({self._length})"

    def pages(self) -> Iterator["Crowd"]:
        """A hundred each, in order, the last with what is left; they share their texts with this one."""
        left = self._length
        for text in self._pages:
            page = Crowd(())
            page._pages, page._length = (text,), min(left, PAGE)
            left -= PAGE
            yield page


def held(ids: Sequence[str]) -> Sequence[str]:
    """The same ids, as a crowd if they are many and nothing but texts."""
    if len(ids) < MANY or not all(isinstance(each, str) for each in ids):
        return tuple(ids)
    return Crowd(ids)


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The distinct ones among these, each where it is first, a hundred at a time."""
    distinct = dict.fromkeys(ids)
    if len(ids) >= MANY:
        same = isinstance(ids, Crowd) and len(distinct) == len(ids)
        yield from (ids if same and isinstance(ids, Crowd) else Crowd(distinct)).pages()
        return
    each = tuple(distinct)
    for start in range(0, len(each), PAGE):
        yield each[start : start + PAGE]
