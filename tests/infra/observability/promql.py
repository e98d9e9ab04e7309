"""PromQL taken apart, and translated from OpenTelemetry's names to those of Prometheus's text format."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import promql_parser

_TERRAFORMS = re.compile(r"\$\{(\w+)\}")
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_TOKENS = re.compile(
    rf"(?P<value>(?:=~|!~|!=|=)\s*{_QUOTED})|(?P<metric>\{{\s*{_QUOTED}(?:\s*,\s*|\s*(?P<alone>\}})))|(?P<label>{_QUOTED})"
)


@dataclass(frozen=True, slots=True)
class Selected:
    """A selector: the series, the labels it matches with their values, and the functions and groupings it is within."""

    name: str
    labels: Mapping[str, str]
    within: tuple[str, ...] = ()


def parse(expr: str) -> promql_parser.Expr:
    """The syntax tree. Raises ValueError for what is not PromQL."""
    return promql_parser.parse(_without_terraforms(expr))


def selected(expr: str) -> list[Selected]:
    """Every selector of the query."""
    found: list[Selected] = []
    functions: list[str] = []

    def enter(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.Call):
            functions.append(node.func.name)
        if isinstance(node, promql_parser.VectorSelector):
            labels = {matcher.name: matcher.value for matcher in node.matchers.matchers}
            name = node.name or labels.pop("__name__")
            found.append(Selected(_with_terraforms(name), labels, tuple(functions)))
        return True

    def leave(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.Call):
            functions.pop()
        return True

    promql_parser.walk(parse(expr), enter, leave)
    return found


def grouped(expr: str) -> set[str]:
    """Every label that results are grouped by or matched on."""
    found: set[str] = set()

    def enter(node: promql_parser.Expr) -> bool:
        modifier = getattr(node, "modifier", None)
        found.update(getattr(modifier, "labels", None) or ())
        matching = getattr(modifier, "matching", None)
        found.update(getattr(matching, "labels", None) or ())
        return True

    promql_parser.walk(parse(expr), enter)
    return found


def translate(expr: str, name_of: Callable[[str], str]) -> str:
    """The same query on Prometheus's names. Raises KeyError for a series there is not."""

    def write(token: re.Match[str]) -> str:
        if token["value"]:
            return token["value"]
        if token["metric"]:
            quoted = re.search(_QUOTED, token["metric"])
            assert quoted is not None
            name = name_of(quoted[1])
            return name if token["alone"] else f"{name}{{"
        return label(token["label"].strip('"'))

    return _TOKENS.sub(write, expr)


def label(name: str) -> str:
    """An attribute's name as Prometheus has it."""
    return re.sub(r"\W", "_", name)


def terraforms(expr: str) -> Iterator[str]:
    """What Terraform puts in."""
    return (found[1] for found in _TERRAFORMS.finditer(expr))


def _without_terraforms(expr: str) -> str:
    # In a string it stays text; a bare one stands for a number.
    return _TERRAFORMS.sub(lambda found: f"<{found[1]}>", _bare_numbers(expr))


def _bare_numbers(expr: str) -> str:
    return re.sub(r"(?<=[<>=] )\$\{\w+\}", "1", expr)


def _with_terraforms(name: str) -> str:
    return re.sub(r"<(\w+)>", r"${\1}", name)
