"""A variable that is not there."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Never

from liquid import Token
from liquid.undefined import Undefined

from worker.rendering.template_errors import UndefinedVariable

_PATH: Final = re.compile(r"""(?:[\w\-?]+|\["[^"\]]*"\]|\['[^'\]]*'\])(?:\.[\w\-?]+|\[[^\[\]\n]{1,80}\])*""")


class MissingVariable(Undefined):
    """Stands for a variable that is not there: nil to a condition and to `default`, a refusal to all else.

    Conditions may ask whether a variable is there (`{% if user.name %}`); nothing may put its absence into a message.
    """

    __slots__ = ("template_key",)

    def __init__(self, name: str, *, token: Token | None, template_key: str) -> None:
        super().__init__(name, token=token)
        self.template_key = template_key

    def refuse(self) -> Never:
        raise UndefinedVariable(self._as_written(), token=self.token, template_key=self.template_key)

    def _as_written(self) -> str:
        """The whole path as the template has it: looked up, `prices[user.plan]` would show the value of the plan."""
        if self.token is not None:
            written = _PATH.match(self.token.source, self.token.start_index)
            if written and self.name in written.group():
                return written.group()[:200]
        return self.name

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, MissingVariable)

    def __hash__(self) -> int:
        self.refuse()

    def __contains__(self, item: object) -> bool:
        self.refuse()

    def __getitem__(self, key: str) -> object:
        self.refuse()

    def __int__(self) -> int:
        self.refuse()

    def __iter__(self) -> Iterator[Any]:
        self.refuse()

    def __len__(self) -> int:
        self.refuse()

    def __reversed__(self) -> Iterable[Any]:
        self.refuse()

    def __str__(self) -> str:
        self.refuse()

    def poke(self) -> bool:
        self.refuse()
