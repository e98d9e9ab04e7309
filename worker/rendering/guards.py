"""Guards put into a parsed template where the library has none.

The library bounds the product of nested loops, but not what a pass costs, nor loops side by side, nor a range that is
made into a list. After parsing, one walk through the tree counts its steps and wraps loop bodies and ranges.
"""

from typing import TextIO, cast

from liquid import BoundTemplate, RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.tags.for_tag import ForNode
from liquid.builtin.tags.tablerow_tag import TablerowNode
from liquid.expression import Expression
from liquid.limits import to_int

from worker.rendering.budget import RANGE_LIMIT, STEP_COST, LimitExceeded
from worker.rendering.conditions import forgive
from worker.rendering.context import PlainDataContext


class PaidBody(BlockNode):
    """A loop's body that pays for its steps on each pass."""

    __slots__ = ("cost",)

    def __init__(self, body: BlockNode, steps: int) -> None:
        super().__init__(body.token, body.nodes)
        self.blank = body.blank
        self.cost = STEP_COST * (1 + steps)

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        cast("PlainDataContext", context).rendering.budget.spend(self.cost)
        return super().render_to_output(context, buffer)


class BoundedStop(Expression):
    """The end of a range, refused when the range would be too long."""

    __slots__ = ("_start", "_stop")

    def __init__(self, start: Expression, stop: Expression) -> None:
        super().__init__(stop.token)
        self._start = start
        self._stop = stop

    def __str__(self) -> str:
        return str(self._stop)

    def evaluate(self, context: RenderContext) -> object:
        stop = self._stop.evaluate(context)
        length = _endpoint(stop) - _endpoint(self._start.evaluate(context)) + 1
        if length > RANGE_LIMIT:
            raise LimitExceeded("range_length")
        cast("PlainDataContext", context).rendering.budget.spend(max(length, 0))
        return stop

    def children(self) -> list[Expression]:
        return [self._stop]


def _endpoint(value: object) -> int:
    """As the library reads an end of a range: what is no number counts as 0."""
    try:
        return to_int(value)
    except (ValueError, TypeError, OverflowError):
        return 0


def guard(template: BoundTemplate) -> int:
    """Put the guards into a freshly parsed template; returns its steps, those inside loops once."""
    context = RenderContext(template)
    return sum(_guard_node(node, context) for node in template.nodes)


def _guard_node(node: Node, context: RenderContext) -> int:
    steps = 1 + sum(_guard_expression(expression) for expression in node.expressions())
    children = sum(_guard_node(child, context) for child in node.children(context, include_partials=False))
    if isinstance(node, ForNode | TablerowNode):
        node.block = PaidBody(node.block, children)
    return steps + children


def _guard_expression(expression: Expression) -> int:
    forgive(expression)
    steps = 1 + sum(_guard_expression(child) for child in expression.children())
    if isinstance(expression, RangeLiteral) and not isinstance(expression.stop, BoundedStop):
        expression.stop = BoundedStop(expression.start, expression.stop)
    return steps
