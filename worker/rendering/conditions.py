"""`contains` as Liquid has it: what holds nothing contains nothing."""

from liquid import RenderContext
from liquid.builtin.expressions.logical import ContainsExpression
from liquid.expression import Expression


class Contains(ContainsExpression):
    """False for a number or `true`, which the library refuses to ask."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        if isinstance(self.left.evaluate(context), int | float):
            return False
        return super().evaluate(context)


def forgive(expression: Expression) -> None:
    """Make of a parsed `contains` ours; the library's parser knows no other."""
    if type(expression) is ContainsExpression:
        expression.__class__ = Contains
