"""Writes values: those of `{{ ... }}`, `echo` and `cycle`, and keeps what `capture` catches.

What a value says is text in every channel. An HTML channel's template escapes it; a text channel's marks it, so that
only the template's own text holds tags. Markup, which filters such as `markdown_to_html` make, holds its own.
"""

from typing import TextIO, cast

from liquid import RenderContext
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode, CaptureTag
from liquid.builtin.tags.cycle_tag import CycleNode, CycleTag
from liquid.builtin.tags.echo_tag import EchoTag
from markupsafe import Markup, escape

from worker.rendering.context import OutputBuffer, PlainDataContext
from worker.rendering.plain_text import to_text
from worker.rendering.text_marks import mark_value
from worker.rendering.value_text import liquid_text

_CAPTURE_COST = 4
"""Units for each character of markup that a text channel's `capture` turns into text."""


def write_value(value: object, context: RenderContext, buffer: TextIO) -> int:
    """Write the value's text; returns the characters written."""
    text = liquid_text(value)
    if context.autoescape:
        return buffer.write(escape(text))
    return buffer.write(text if isinstance(text, Markup) else mark_value(text))


class ValueNode(OutputNode):
    """`{{ expression }}`"""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return write_value(self.expression.evaluate(context), context, buffer)


class Echo(EchoTag):
    """`{% echo expression %}`"""

    node_class = ValueNode  # type: ignore[assignment]  # all that `EchoNode` adds is how it is written


class _CycleNode(CycleNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        values = [value.evaluate(context) for value in self.args]
        group = "" if self.group is None else liquid_text(self.group.evaluate(context))
        index = context.cycle(group or str([liquid_text(value) for value in values]), len(values))
        return write_value(values[index], context, buffer) if index < len(values) else 0


class Cycle(CycleTag):
    """`{% cycle "odd", "even" %}`"""

    node_class = _CycleNode


class _CaptureNode(CaptureNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        caught = cast("OutputBuffer", context.get_buffer(buffer))
        self.block.render(context, caught)
        markup = caught.getvalue()
        if context.autoescape:
            context.assign(str(self.name), Markup(markup))
        else:
            cast("PlainDataContext", context).rendering.budget.spend(_CAPTURE_COST * len(markup))
            context.assign(str(self.name), to_text(markup))
        return 0


class Capture(CaptureTag):
    """`{% capture name %}`: markup in an HTML channel; in a text channel text, as any value is."""

    node_class = _CaptureNode
