"""What a channel's sanitiser takes from a text, said for the template's author: for previews only."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import Final

from shared.notification.models import Channel
from worker.rendering.html_markup import NEVER_SHOWN
from worker.rendering.html_sanitizing import EMAIL_RULES, IN_APP_RULES, HtmlRules
from worker.rendering.inline_style import clean_style, declarations

_MOST: Final = 50
"""The most removals that are told of one text."""

_SHELL: Final = frozenset({"html", "head", "body"})
"""Elements whose going nobody sees."""

_LIQUID: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that does not reach the recipient; `line` is that of the text before it was sanitised, from 1."""

    line: int
    what: str


def removals(channel: Channel, source: str, written: str) -> tuple[Removal, ...]:
    """What the channel does not carry of what the template wrote; of a text channel's template, its own tags."""
    if channel is Channel.EMAIL:
        found = _HtmlReader(EMAIL_RULES, written).found
    elif channel in {Channel.SMS, Channel.PUSH, Channel.CHAT}:
        found = list(_tags(source))
    else:
        found = _HtmlReader(IN_APP_RULES, written).found
    return tuple(dict.fromkeys(found))[:_MOST]


def _tags(source: str) -> Iterator[Removal]:
    """The tags of a text channel's template; what values hold is text there."""
    own = _LIQUID.sub(lambda tag: "\n" * tag.group().count("\n"), source)
    for tag in _TAG.finditer(own):
        yield Removal(own.count("\n", 0, tag.start()) + 1, f"{tag.group()[:40]}: this channel carries text")


class _HtmlReader(HTMLParser):
    """Notes every element, attribute, address and declaration that the rules do not keep."""

    def __init__(self, rules: HtmlRules, html: str) -> None:
        super().__init__()
        self.found: list[Removal] = []
        self._rules = rules
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SHELL:
            return
        if tag not in self._rules.tags:
            self._note(f"<{tag}>" + (" and what is in it" if tag in NEVER_SHOWN else "; what is in it stays"))
            return
        allowed = self._rules.attributes["*"] | self._rules.attributes.get(tag, frozenset())
        for name, value in attrs:
            if name in {"target", "rel"} and tag == "a":
                continue  # these are ours to say
            if name not in allowed:
                self._note(f"attribute {name} of <{tag}>")
            elif name == "style":
                kept = set(declarations(clean_style(value or "")))
                for gone in [it for it in declarations(value or "") if it not in kept]:
                    self._note(f"style of <{tag}>: {gone[:80]}")
            elif not self._keeps(tag, name, value or ""):
                self._note(f"{name} of <{tag}>: {(value or '')[:80]}")

    def _keeps(self, tag: str, name: str, value: str) -> bool:
        """Whether the sanitiser itself keeps a value that it may refuse: of an address, or of a class."""
        if name == "class":
            return all(it in self._rules.clean(f'<p class="{escape(value)}">') for it in map(escape, value.split()))
        return name not in {"href", "src"} or f" {name}=" in self._rules.clean(f'<{tag} {name}="{escape(value)}">')

    def _note(self, what: str) -> None:
        self.found.append(Removal(self.getpos()[0], what))
