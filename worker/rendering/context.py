"""The state of one rendering: its variables, what it has left to spend, and what it is in the middle of including."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, TextIO

from liquid import BoundTemplate, RenderContext, Token
from liquid.undefined import UNDEFINED
from liquid.utils import ReadOnlyChainMap

from shared.notification.models import Template
from worker.rendering.budget import VARIABLES_LIMIT, Budget, LimitExceeded, weight
from worker.rendering.channel_limits import ChannelLimits
from worker.rendering.parsed_template import ParsedTemplate
from worker.rendering.undefined import MissingVariable

_RETAINED_KEY_COST = 16
"""Times its length: what a `cycle` group costs, since its name is kept to the end."""


@dataclass(slots=True)
class Rendering:
    """What a template and all it includes share.

    `include_chain` is the path of template keys from the root to the template now rendering.
    """

    templates: Mapping[str, Template]
    limits: ChannelLimits
    include_chain: list[str]
    parse: Callable[[str], ParsedTemplate]
    budget: Budget = field(default_factory=Budget)

    @contextmanager
    def including(self, key: str) -> Iterator[None]:
        """Enter an included template. On failure the chain stays as it was there, for the refusal to name."""
        self.include_chain.append(key)
        yield
        self.include_chain.pop()


class OutputBuffer(StringIO):
    """Text written so far, at most `limit` characters; every one is paid for, wherever it ends up."""

    def __init__(self, rendering: Rendering, limit: int) -> None:
        super().__init__()
        self._budget = rendering.budget
        self.room = limit

    def write(self, text: str) -> int:
        self._budget.spend(len(text))
        self.room -= len(text)
        if self.room < 0:
            raise LimitExceeded("output_size")
        return super().write(text)


class PlainDataContext(RenderContext):
    """Looks up plain data only, reads no clock, and pays for what is read and kept."""

    __slots__ = ("_sizes", "_variables_size", "rendering")

    rendering: Rendering

    def __init__(self, template: BoundTemplate, **options: Any) -> None:
        super().__init__(template, **options)
        # The library's own chain also offers `now` and `today`.
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        self._sizes: dict[str, int] = {}
        self._variables_size = 0
        if isinstance(self.parent_context, PlainDataContext):
            self.rendering = self.parent_context.rendering
            self._variables_size = self.parent_context._variables_size

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        """The value at `path`, or a MissingVariable that refuses any use but a condition or `default`."""
        for segment in path:
            if isinstance(segment, MissingVariable):
                segment.refuse()
        head, *rest = path
        if not isinstance(head, str):
            return MissingVariable("", token=token, template_key=self.rendering.include_chain[-1])
        try:
            value: object = self.scope[head]
            for segment in rest:
                value = self.get_item(value, segment)
        except (LookupError, TypeError):
            return MissingVariable(head, token=token, template_key=self.rendering.include_chain[-1])
        except OverflowError as error:
            raise LimitExceeded("range_length") from error
        self.rendering.budget.spend(weight(value))
        return value

    def resolve(self, name: str, *, token: Token | None = None, default: object = UNDEFINED) -> Any:
        return self.get([name], token=token)

    def assign(self, key: str, val: Any) -> None:
        size = weight(val)
        self.rendering.budget.spend(size)
        self._variables_size += size - self._sizes.get(key, 0)
        if self._variables_size > VARIABLES_LIMIT:
            raise LimitExceeded("variables_size")
        self._sizes[key] = size
        self.locals[key] = val

    def cycle(self, key: object, length: int) -> int:
        self.rendering.budget.spend(_RETAINED_KEY_COST * len(str(key)))
        return super().cycle(key, length)

    def get_buffer(self, buf: TextIO | None = None) -> OutputBuffer:
        room = buf.room if isinstance(buf, OutputBuffer) else self.rendering.limits.raw_size
        return OutputBuffer(self.rendering, room)
