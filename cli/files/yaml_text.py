"""YAML as far as files of ours need it: JSON's values, each with the line that it stands in. Pure.

Read as YAML 1.2 has it: `no` and `on` are texts, and so is `2026-01-01`. Refused is what would surprise: a member that
stands twice, tags, which make objects of other kinds, and anchors, which a few lines of make a text of gigabytes.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]

_DEEPEST = 60
_NUMBER = re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$")
_LITERALS = {"": None, "~": None, "null": None, "true": True, "false": False}
_STANDARD = "tag:yaml.org,2002:"
_PLAIN_NUMBER = _STANDARD + "number"
_ODD_BREAKS = re.compile("[\r\x85\u2028\u2029]")
_LONGEST_LINE = 10_000


class YamlRefused(Exception):
    """The text is no YAML of ours. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds, and the lines of its members by their paths."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Of the member, or of the nearest one around it that stands there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str) -> Document:
    """The text's one document. Raises YamlRefused."""
    lines: dict[Path, int] = {}
    try:
        _refuse_anchors_and_tags(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return Document(None if node is None else _value(node, (), lines), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlRefused(mark.line + 1 if mark else 1, f"no YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        raise YamlRefused(text.count("\n", 0, position) + 1, "no YAML: a character that may not be there") from None
    except RecursionError:
        raise YamlRefused(1, "nests too deep") from None


def write_yaml(value: Mapping[str, Any]) -> str:
    """A text that `read_yaml` reads as `value`; the members in their order, texts of several lines as such."""
    return yaml.dump(
        value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=False, width=_LONGEST_LINE
    )


def _refuse_anchors_and_tags(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > _DEEPEST:
            raise YamlRefused(line, f"nests deeper than {_DEEPEST}")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlRefused(line, "anchors and aliases are not taken: write it out")
        if tag := getattr(event, "tag", None):
            raise YamlRefused(line, f"the tag {tag} is not taken")


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines[path] = node.start_mark.line + 1
    match node:
        case yaml.MappingNode(value=pairs):
            return _members(pairs, path, lines)
        case yaml.SequenceNode(value=items):
            return [_value(item, (*path, index), lines) for index, item in enumerate(items)]
        case yaml.ScalarNode():
            return _scalar(node)
        case _:
            raise AssertionError("YAML has no other nodes")


def _members(pairs: list[tuple[yaml.Node, yaml.Node]], path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise YamlRefused(line, "a member's name is a text")
        name: str = key.value
        _require_storable(name, line)
        if name in members:
            raise YamlRefused(line, f"{name} stands twice")
        members[name] = _value(value, (*path, name), lines)
        lines[*path, name] = line
    return members


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    line = node.start_mark.line + 1
    is_plain = node.style is None
    if is_plain and text in _LITERALS:
        return _LITERALS[text]
    if is_plain and _NUMBER.fullmatch(text):
        return _number(text, line)
    _require_storable(text, line)
    return text


def _number(text: str, line: int) -> int | float:
    if text.removeprefix("-").isdigit():
        if len(text) > 300:
            raise YamlRefused(line, "a number of more than 300 digits")
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise YamlRefused(line, "a number that is too great")
    return number


def _require_storable(text: str, line: int) -> None:
    if "\0" in text or (not text.isascii() and any(0xD800 <= ord(it) < 0xE000 for it in text)):
        raise YamlRefused(line, "a text with a character that PostgreSQL cannot hold: NUL, or half of a pair")


class _Dumper(yaml.SafeDumper):
    """Quotes what any reader might take for something else than a text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Each value is written out."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """A list's dashes stand below their name, indented."""
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # Line breaks that are none to most would be folded. What else a block cannot hold, the emitter quotes by itself.
    style = '"' if _ODD_BREAKS.search(value) else "|" if "\n" in value.rstrip("\n") else None
    return dumper.represent_scalar(f"{_STANDARD}str", value, style=style)


def _plain_number(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    return dumper.represent_scalar(_PLAIN_NUMBER, repr(value))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(int, _plain_number)
_Dumper.add_representer(float, _plain_number)
_Dumper.yaml_implicit_resolvers = {
    first: [(_PLAIN_NUMBER, _NUMBER), *resolvers] if first and first in "-0123456789" else resolvers
    for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
