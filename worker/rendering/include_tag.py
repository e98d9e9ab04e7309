"""`xnovu_render`: one template includes another of the same enterprise."""

import re
from collections.abc import Iterable
from typing import Final, TextIO, cast

from liquid import RenderContext, Token, TokenStream
from liquid.ast import Node
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError, LiquidSyntaxError
from liquid.expression import Expression
from liquid.tag import Tag
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG
from liquid.utils import ReadOnlyChainMap

from worker.rendering.budget import LimitExceeded
from worker.rendering.context import PlainDataContext
from worker.rendering.include_arguments import IncludeArguments, IncludeArgumentsParser
from worker.rendering.output_tag import ValueNode
from worker.rendering.template_errors import IncludeCycle, IncludedTemplateNotFound

TAG_NAME: Final = "xnovu_render"

_CALL: Final = re.compile(r"\s*xnovu_render\s*(?=\()")
_CALL_END: Final = re.compile(r"\s*(-?)\}\}")

_INCLUDE_COST: Final = 2_000
"""Units for entering a template, besides its steps."""


class IncludeNode(Node):
    """Writes another template's text; its arguments win over the surrounding variables, its assignments stay inside."""

    __slots__ = ("_arguments",)

    def __init__(self, token: Token, arguments: IncludeArguments) -> None:
        super().__init__(token)
        self.blank = False
        self._arguments = arguments

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        context = cast("PlainDataContext", context)
        rendering, key = context.rendering, self._arguments.key
        rendering.budget.spend(_INCLUDE_COST)
        if key in rendering.include_chain:
            raise IncludeCycle((*rendering.include_chain, key), token=self.token)
        template = rendering.templates.get(key)
        if template is None:
            raise IncludedTemplateNotFound(key, token=self.token)
        if len(rendering.include_chain) > rendering.limits.include_depth:
            raise LimitExceeded("include_depth")
        values = {name: value.evaluate(context) for name, value in self._arguments.named.items()}
        with rendering.including(key):
            try:
                parsed = rendering.parse(template.body)
                rendering.budget.spend(parsed.cost)
                inner = context.copy(
                    ReadOnlyChainMap(values), carry_loop_iterations=True, template=parsed.template, block_scope=True
                )
                parsed.template.render_with_context(inner, buffer, partial=True, block_scope=True)
            except LiquidError as error:
                error.template_name = error.template_name or key
                raise
        return 1

    def expressions(self) -> Iterable[Expression]:
        return self._arguments.named.values()


class IncludeTag(Tag):
    """`{% xnovu_render "key", name: value %}`"""

    name = TAG_NAME
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        expression = stream.expect(TOKEN_EXPRESSION)
        parser = IncludeArgumentsParser(self.env, expression.source, expression.start_index)
        return IncludeNode(token, parser.parse_tag(expression.start_index + len(expression.value)))


class OutputOrInclude(Output):
    """`{{ expression }}`, or the older spelling of an include, `{{ xnovu_render('key', {name: value}) }}`."""

    node_class = ValueNode

    def parse(self, stream: TokenStream) -> OutputNode | Node:  # type: ignore[override]
        expression = stream.peek
        call = _CALL.match(expression.source, expression.start_index) if expression.kind == TOKEN_EXPRESSION else None
        if call is None:
            return super().parse(stream)
        token = stream.eat(TOKEN_OUTPUT)
        arguments = IncludeArgumentsParser(self.env, expression.source, call.end()).parse_call()
        end = _CALL_END.match(expression.source, arguments.end)
        if end is None:
            raise LiquidSyntaxError("xnovu_render: expected }}", token=expression)
        _resume_at(stream, end.end(), strip=bool(end.group(1)))
        return IncludeNode(token, arguments)


def _resume_at(stream: TokenStream, position: int, *, strip: bool) -> None:
    """Take back what the lexer made of the rest of a call.

    It ends an output at the first two braces, which in a call may close an object within an object.
    """
    while stream.peek.start_index >= 0 and stream.peek.start_index < position:
        following = stream.peek
        if following.kind != TOKEN_CONTENT or following.start_index + len(following.value) <= position:
            del stream.tokens[stream.pos + 1]
            continue
        text = following.source[position : following.start_index + len(following.value)]
        stream.tokens[stream.pos + 1] = Token(
            TOKEN_CONTENT, text.lstrip() if strip else text, position, following.source
        )
