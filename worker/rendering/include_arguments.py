"""Reads what stands behind `xnovu_render`: the template's key and its arguments, in both spellings.

    "template-key", name: "literal", other: path.to.value
    ('template-key', {name: value, address: {city: user.city}, tags: ["a", user.tag]})

Values are literals, paths, and objects and lists of values. Positions count from the start of the template, so that a
refusal names the right line.
"""

import re
from dataclasses import dataclass
from typing import Final, Never

from liquid import Environment, RenderContext, Token, TokenStream
from liquid.builtin.expressions import parse_primitive, tokenize
from liquid.exceptions import LiquidSyntaxError
from liquid.expression import Expression
from liquid.token import TOKEN_EXPRESSION

_SPACE: Final = re.compile(r"\s*")
_STRING: Final = re.compile(r""""[^"]*"|'[^']*'""")
_NAME: Final = re.compile(r"""[\w\-]+""")
_PRIMITIVE: Final = re.compile(r"""[\w\-?.]+(?:\[(?:"[^"]*"|'[^']*'|[\w\-.]+)\][\w\-?.]*)*""")
_DEPTH_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class IncludeArguments:
    """The included template's key and the names it gets, each with the expression of its value."""

    key: str
    named: dict[str, Expression]
    end: int


class ObjectLiteral(Expression):
    """`{name: value}`"""

    __slots__ = ("_members",)

    def __init__(self, token: Token, members: dict[str, Expression]) -> None:
        super().__init__(token)
        self._members = members

    def evaluate(self, context: RenderContext) -> object:
        return {name: value.evaluate(context) for name, value in self._members.items()}

    def children(self) -> list[Expression]:
        return list(self._members.values())


class ListLiteral(Expression):
    """`[value, value]`"""

    __slots__ = ("_items",)

    def __init__(self, token: Token, items: list[Expression]) -> None:
        super().__init__(token)
        self._items = items

    def evaluate(self, context: RenderContext) -> object:
        return [item.evaluate(context) for item in self._items]

    def children(self) -> list[Expression]:
        return self._items


class IncludeArgumentsParser:
    """Reads one include from `source`, beginning at `position`. Raises LiquidSyntaxError."""

    def __init__(self, environment: Environment, source: str, position: int) -> None:
        self._environment = environment
        self._source = source
        self._position = position

    def parse_tag(self, end: int) -> IncludeArguments:
        """`"key", name: value, ...` up to `end`."""
        key = self._string()
        named: dict[str, Expression] = {}
        while self._skip_comma_before(end):
            self._member(named, depth=0)
        return IncludeArguments(key, named, self._position)

    def parse_call(self) -> IncludeArguments:
        """`('key', {name: value, ...})`; the parser ends behind the parenthesis."""
        self._expect("(")
        key = self._string()
        named: dict[str, Expression] = {}
        if self._accept(",") and self._accept("{"):
            named = self._members(depth=0)
        self._expect(")")
        return IncludeArguments(key, named, self._position)

    def _members(self, depth: int) -> dict[str, Expression]:
        members: dict[str, Expression] = {}
        while not self._accept("}"):
            self._member(members, depth)
            if not self._accept(","):
                self._expect("}")
                break
        return members

    def _member(self, members: dict[str, Expression], depth: int) -> None:
        self._skip_space()
        quoted = _STRING.match(self._source, self._position)
        name = self._string() if quoted else self._match(_NAME, "a name")
        self._expect(":")
        members[name] = self._value(depth)

    def _value(self, depth: int) -> Expression:
        if depth > _DEPTH_LIMIT:
            self._fail("values nested less deeply")
        self._skip_space()
        token = self._token(self._source[self._position : self._position + 1])
        if self._accept("{"):
            return ObjectLiteral(token, self._members(depth + 1))
        if self._accept("["):
            return ListLiteral(token, self._items(depth + 1))
        return self._primitive()

    def _items(self, depth: int) -> list[Expression]:
        items: list[Expression] = []
        while not self._accept("]"):
            items.append(self._value(depth))
            if not self._accept(","):
                self._expect("]")
                break
        return items

    def _primitive(self) -> Expression:
        pattern = _STRING if self._source[self._position : self._position + 1] in {"'", '"'} else _PRIMITIVE
        start = self._position
        text = self._match(pattern, "a value")
        stream = TokenStream(tokenize(text, Token(TOKEN_EXPRESSION, text, start, self._source)))
        expression = parse_primitive(self._environment, stream)
        stream.expect_eos()
        return expression

    def _string(self) -> str:
        return self._match(_STRING, "a quoted template key")[1:-1]

    def _match(self, pattern: re.Pattern[str], wanted: str) -> str:
        self._skip_space()
        match = pattern.match(self._source, self._position)
        if match is None:
            self._fail(wanted)
        self._position = match.end()
        return match.group()

    def _skip_space(self) -> None:
        match = _SPACE.match(self._source, self._position)
        assert match is not None, "the pattern matches the empty string"
        self._position = match.end()

    def _skip_comma_before(self, end: int) -> bool:
        self._accept(",")
        self._skip_space()
        return self._position < end

    def _accept(self, character: str) -> bool:
        self._skip_space()
        if not self._source.startswith(character, self._position):
            return False
        self._position += len(character)
        return True

    def _expect(self, character: str) -> None:
        if not self._accept(character):
            self._fail(character)

    def _fail(self, wanted: str) -> Never:
        raise LiquidSyntaxError(f"xnovu_render: expected {wanted}", token=self._token(""))

    def _token(self, value: str) -> Token:
        return Token(TOKEN_EXPRESSION, value, min(self._position, len(self._source) - 1), self._source)
