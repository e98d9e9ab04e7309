"""Chat messages: Markdown that holds no HTML, links nowhere but to the web and to mail, and calls nobody by a value."""

import html
import re
from collections.abc import Callable, Iterator
from typing import Final

from worker.rendering.plain_text import strip_markup, tidy_lines
from worker.rendering.text_marks import AT, GREATER_THAN, LESS_THAN, VALUE_START, mark_text, unmark

_FENCE: Final = re.compile(rf"{VALUE_START}?(?P<ticks>`{{3,}}|~{{3,}})(?P<info>[^`]*)")
_CODE_SPAN: Final = re.compile(
    r"\\[\\`<]|(?<!`)(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)|`+",
)
"""A span of code that ends on its line, and what is none."""

# A `<` that a reader might take for a tag, or Slack for a call to a person (`<@U1>`) or to all (`<!channel>`). The
# template's own `<@U1>` is its author's wish.
_OPENING: Final = re.compile(
    rf"(?P<less>[<{LESS_THAN}]{VALUE_START}|{LESS_THAN})(?=[a-zA-Z/!?@{AT}#])|(?P<own><)(?=[a-zA-Z/!?])"
)
_OPENING_IN_CODE: Final = re.compile(rf"(?P<less>[<{LESS_THAN}]{VALUE_START}?)(?=[!@{AT}#])")
_CALL_TO_ALL: Final = re.compile(rf"(?<!\w){AT}(?=(?:all|channel|everyone|here)\b)", re.IGNORECASE)
_ADDRESS: Final = re.compile(
    rf"[<{LESS_THAN}]{VALUE_START}?(?:https?://|mailto:|[\w.+%-]+[@{AT}][\w-]+\.)"
    rf"[^\s<>{LESS_THAN}{GREATER_THAN}]*[>{GREATER_THAN}]",
    re.IGNORECASE,
)

# A link or a reference, and its target as far as a scheme may reach.
_LINK: Final = re.compile(r"\](?=[(:]\s*(?:<(?P<angled>(?:&#|[^/?#\[\]()\n>])*)|(?P<bare>(?:&#|[^ \n/?#\[\]()<])*)))")
_NOT_IN_SCHEME: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]+")
_SAFE_SCHEMES: Final = frozenset({"http", "https", "mailto"})


def sanitize_chat(markup: str) -> str:
    """The message, its code as it was written; a space takes from links and calls what they should not do."""
    text = strip_markup(_outside_code(markup, lambda part: part, mark_text))
    text = unmark(_outside_code(text, _break_tags, lambda code: _OPENING_IN_CODE.sub(_break, code)))
    return tidy_lines(_LINK.sub(_break_unsafe_link, text))


def _outside_code(text: str, change: Callable[[str], str], change_code: Callable[[str], str]) -> str:
    """The text changed, its code in another way. What only some readers take for code is none."""
    parts: list[str] = []
    for part, is_code in _fenced(text.split("\n")):
        position = 0
        for found in () if is_code else _CODE_SPAN.finditer(part):
            if found["ticks"]:
                parts += [change(part[position : found.start()]), change_code(found.group())]
                position = found.end()
        parts.append((change_code if is_code else change)(part[position:]))
    return "".join(parts)


def _fenced(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """The text in parts, with whether each is a block of code between fences."""
    fences = [_FENCE.fullmatch(line) for line in lines]
    unclosed: set[str] = set()
    begin = line = 0
    while line < len(lines):
        fence = fences[line]
        end = None if fence is None or fence["ticks"] in unclosed else _closing(fences, line)
        if end is not None:
            yield "".join(f"{text}\n" for text in lines[begin:line]), False
            yield "\n".join(lines[line : end + 1]) + ("\n" if end + 1 < len(lines) else ""), True
            begin = line = end + 1
            continue
        if fence is not None:
            unclosed.add(fence["ticks"])
        line += 1
    yield "\n".join(lines[begin:]), False


def _closing(fences: list[re.Match[str] | None], opening: int) -> int | None:
    """The line of the fence that ends the block begun in line `opening`."""
    begun = fences[opening]
    for line in range(opening + 1, len(fences)):
        fence = fences[line]
        if (
            fence
            and begun
            and fence["ticks"].startswith(begun["ticks"])
            and not fence["info"].strip(f" \t{VALUE_START}")
        ):
            return line
    return None


def _break_tags(text: str) -> str:
    parts, position = [], 0
    for found in _ADDRESS.finditer(text):
        parts += [_break_calls(text[position : found.start()]), found.group()]
        position = found.end()
    return "".join([*parts, _break_calls(text[position:])])


def _break_calls(text: str) -> str:
    return _CALL_TO_ALL.sub(_break, _OPENING.sub(_break, text))


def _break(found: re.Match[str]) -> str:
    return f"{found.group()} "


def _break_unsafe_link(found: re.Match[str]) -> str:
    """The space behind the bracket makes plain text of a link to an address with another scheme."""
    target = found["angled"] if found["angled"] is not None else found["bare"]
    scheme, colon, _ = _NOT_IN_SCHEME.sub("", html.unescape(target)).partition(":")
    return "] " if colon and scheme.lower() not in _SAFE_SCHEMES else "]"
