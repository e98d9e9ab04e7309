"""Sources to parsed templates, each source parsed once while it is in use."""

import re
from collections import OrderedDict
from typing import Final

from liquid import Environment, Token
from liquid.exceptions import LiquidError
from liquid.token import TOKEN_EOF

from worker.rendering.budget import LimitExceeded
from worker.rendering.guards import guard
from worker.rendering.parsed_template import ParsedTemplate

SOURCE_CHARACTERS: Final = 200_000
"""The longest template."""

TAGS: Final = 5_000
"""The most tags and outputs of a template."""

STEPS: Final = 25_000
"""The most tags, outputs and expressions of a template."""

TAG_CHARACTERS: Final = 5_000
"""The longest tag or output: the lexer's patterns look ahead to its end from many places."""

SPACE_IN_TAGS: Final = 4_000_000
"""The most white space inside tags, each run of it by its square: the lexer tries every way to part a run."""

RAW_BLOCKS: Final = 50
"""The most `raw` and `doc` blocks: the lexer looks for the end of each through the whole source."""

_LONG_SPACE: Final = re.compile(r"(?<!\s)\s{20,}")
_RAW_OR_DOC: Final = re.compile(r"\{%-?\s{0,200}(?:raw|doc)\b")

CACHED_STEPS: Final = 50_000
"""How much is kept parsed; a step takes about a kilobyte."""


class TemplateParser:
    """Parses the templates of one environment and keeps those used last, by content."""

    def __init__(self, environment: Environment, *, cached_steps: int = CACHED_STEPS) -> None:
        self._environment = environment
        self._cached_steps = cached_steps
        self._parsed: OrderedDict[str, ParsedTemplate] = OrderedDict()
        self._steps = 0

    def parse(self, source: str) -> ParsedTemplate:
        """The parsed template, from the cache if it is there. Raises LiquidError."""
        parsed = self._parsed.get(source)
        if parsed is None:
            parsed = self._parse(source)
            self._parsed[source] = parsed
            self._steps += parsed.steps
            while self._steps > self._cached_steps and len(self._parsed) > 1:
                _, dropped = self._parsed.popitem(last=False)
                self._steps -= dropped.steps
        else:
            self._parsed.move_to_end(source)
        return parsed

    def _parse(self, source: str) -> ParsedTemplate:
        _require_parseable(source)
        try:
            template = self._environment.from_string(source)
            steps = guard(template)
        except RecursionError as error:
            raise LimitExceeded("expression_nesting") from error
        except LiquidError as error:
            if isinstance(error.__cause__, RecursionError):
                raise LimitExceeded("expression_nesting") from error
            if source and (error.token is None or error.token.start_index < 0):
                # Only the end was in the way: of a block that nobody closed, or of a tag that lacks something.
                error.token = Token(TOKEN_EOF, "", len(source) - 1, source)
            raise
        if steps > STEPS:
            raise LimitExceeded("template_steps")
        return ParsedTemplate(template, steps)


def _require_parseable(source: str) -> None:
    """Refuse what would keep the lexer busy for long; it is a regular expression with look-ahead."""
    if len(source) > SOURCE_CHARACTERS:
        raise LimitExceeded("template_size")
    if source.count("{%") + source.count("{{") > TAGS:
        raise LimitExceeded("template_tags")
    if len(_RAW_OR_DOC.findall(source)) > RAW_BLOCKS:
        raise LimitExceeded("template_raw_blocks")
    spaces = (space.span() for space in _LONG_SPACE.finditer(source))
    if sum((end - start) ** 2 for start, end in spaces if _is_inside_tag(source, start)) > SPACE_IN_TAGS:
        raise LimitExceeded("tag_space")
    for opening, closing in (("{{", "}}"), ("{%", "%}")):
        position = source.find(opening)
        while position >= 0:
            furthest = position + TAG_CHARACTERS
            if source.find(closing, position, furthest) < 0 and furthest < len(source):
                raise LimitExceeded("tag_length")
            position = source.find(opening, position + 2)


def _is_inside_tag(source: str, position: int) -> bool:
    """Whether the last braces before a position open a tag. Ends at what the longest tag could reach."""
    furthest = max(0, position - TAG_CHARACTERS)
    opened = max(source.rfind(opening, furthest, position) for opening in ("{{", "{%"))
    closed = max(source.rfind(closing, furthest, position) for closing in ("}}", "%}"))
    return opened > closed
