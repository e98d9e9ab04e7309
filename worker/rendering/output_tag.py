"""Writes the value of `{{ ... }}`."""

import json
from typing import TextIO

from liquid import RenderContext
from liquid.builtin.output import OutputNode
from liquid.stringify import to_liquid_string


class ValueNode(OutputNode):
    """An output as the library writes it, but for objects and lists of them: those become JSON, not Python."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        if isinstance(value, list):
            value = [_writable(item) for item in value]
        return buffer.write(to_liquid_string(_writable(value), context.autoescape))


def _writable(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value
