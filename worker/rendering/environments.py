"""The two dialects of the template language: one escapes values for HTML, one does not."""

from typing import Final

from liquid import BoundTemplate, Environment, Mode, Token, TokenStream
from liquid.builtin.tags.case_tag import CaseTag
from liquid.builtin.tags.if_tag import IfTag
from liquid.builtin.tags.unless_tag import UnlessTag
from liquid.exceptions import LiquidError
from liquid.expression import Expression

from worker.rendering.bounded_filters import bounded
from worker.rendering.filters import FILTERS
from worker.rendering.include_tag import IncludeTag, OutputOrInclude
from worker.rendering.output_tag import Capture, Cycle, Echo
from worker.rendering.parsing import TemplateParser

_LEFT_OUT: Final = ("include", "render")
"""Liquid's own ways to include; `xnovu_render` is ours."""


class _StrictIf(IfTag):
    """Takes nothing behind `else`: the library would ignore the condition of an `else if`."""

    mode = Mode.STRICT


class _StrictUnless(UnlessTag):
    """As `_StrictIf`."""

    mode = Mode.STRICT


class _StrictCase(CaseTag):
    """Takes nothing behind the values of a `when`."""

    def _parse_when_expression(self, stream: TokenStream) -> list[Expression]:
        values = super()._parse_when_expression(stream)
        stream.expect_eos()
        return values


class _PlainTemplate(BoundTemplate):
    """Adds no names of its own to the variables."""

    def make_partial_namespace(self, partial: bool, render_args: dict[str, object]) -> dict[str, object]:  # type: ignore[override]
        return render_args


class _TemplateEnvironment(Environment):
    """Liquid with our tag and filters, every filter bounded, and the library's own limits set."""

    block_nesting_limit = 30
    context_depth_limit = 40
    loop_iteration_limit = 100_000
    template_class = _PlainTemplate

    def error(self, exc: type[LiquidError] | LiquidError, msg: str | None = None, token: Token | None = None) -> None:
        """Raise the error, with the place of the tag when all it has is the end of an expression."""
        if isinstance(exc, LiquidError) and exc.token is not None and exc.token.start_index < 0:
            exc.token = token
        super().error(exc, msg, token)

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for tag in _LEFT_OUT:
            del self.tags[tag]
        for ours in (IncludeTag, OutputOrInclude, Echo, Cycle, Capture, _StrictIf, _StrictUnless, _StrictCase):
            self.add_tag(ours)
        for name, function in {**self.filters, **FILTERS}.items():
            self.add_filter(name, bounded(name, function))


HTML_PARSER: Final = TemplateParser(_TemplateEnvironment(autoescape=True))
TEXT_PARSER: Final = TemplateParser(_TemplateEnvironment(autoescape=False))
