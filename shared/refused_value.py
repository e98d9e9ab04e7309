"""Why a value is refused, in our words. Pydantic's are written for those who read its models."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from pydantic_core import ErrorDetails

from shared.suggestion import did_you_mean

LONGEST_GIVEN = 60
"""Characters of a refused value that are quoted."""


def why_refused(
    finding: ErrorDetails,
    *,
    given: object = None,
    bounds: Mapping[str, float] | None = None,
    known: Collection[str] = (),
    forms: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """What is meant instead, for behind a name and a colon: "must be a whole number of 1 or more, not 'x'".

    `given` is quoted, if it is not None, where a number, a yes or no, or one of a few words is meant: no secret stands
    there. `bounds` (`ge`, `gt`, `le`, `lt`) are the number's, which a finding about its spelling does not know; `known`
    the names that could have stood where there is none of this one; `forms` says in words what a pattern asks for.
    """
    context: Mapping[str, Any] = finding.get("ctx", {})
    kind, _, detail = finding["type"].partition("_")
    bounds = bounds or {name: context[name] for name in _BOUNDS if name in context}
    match kind, detail:
        case "missing", _:
            return "is missing"
        case "extra", "forbidden":
            return f"is not known; {did_you_mean(str(finding['loc'][-1]), known)}".removesuffix(".")
        case "int", _:
            return f"must be {_number('a whole number', bounds)}{_not(given)}"
        case (("float" | "finite" | "decimal"), _):
            return f"must be {_number('a number', bounds)}{_not(given)}"
        case (("greater" | "less"), _):
            return f"must be {_number('', bounds)}{_not(given)}"
        case (("literal" | "enum"), _):
            return one_of(re.findall(r"'([^']+)'", context["expected"]), given)
        case "bool", _:
            return f"must be true or false{_not(given)}"
        case "string", "too_short":
            return "must not be empty" if context["min_length"] == 1 else f"needs {context['min_length']} characters"
        case "string", "too_long":
            return f"may have {context['max_length']} characters"
        case "string", "pattern_mismatch":
            pattern = context["pattern"]
            return forms.get(pattern) or f"must be of the form {pattern}"
        case "too", "short":
            return "must not be empty" if context["min_length"] == 1 else f"needs {context['min_length']} members"
        case "too", "long":
            return f"may have {context['max_length']} members"
        case "value", _:
            return str(context["error"])
        case _:
            meant = _MEANT.get(kind)
            return f"must be {meant}" if meant else f"cannot be used ({finding['type']})"


def quoted(given: str) -> str:
    """It in quotes, and no longer than anybody reads."""
    return repr(given if len(given) <= LONGEST_GIVEN else f"{given[:LONGEST_GIVEN]}...")


def one_of(words: Collection[str], given: object = None) -> str:
    """The same for one of a few words; what may have been meant by another stands behind it."""
    text = f"must be one of {', '.join(words)}{_not(given)}"
    spelt = {word.casefold(): word for word in words}
    guess = get_close_matches(str(given).strip().casefold(), spelt, n=1)
    return f"{text}; did you mean {spelt[guess[0]]}?" if guess else text


_BOUNDS = ("ge", "gt", "le", "lt")

_MEANT = {
    "dict": "an object",
    "invalid-json-value": "JSON",
    "json": "JSON",
    "list": "a list",
    "model": "an object",
    "path": "a path",
    "string": "text",
    "tuple": "a list",
    "url": "a URL",
    "uuid": "a UUID",
}


def _number(noun: str, bounds: Mapping[str, float]) -> str:
    if "ge" in bounds and "le" in bounds:
        return f"{noun} from {_figure(bounds['ge'])} to {_figure(bounds['le'])}".strip()
    words = {"ge": "{} or more", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}
    told = " and ".join(words[name].format(_figure(bounds[name])) for name in _BOUNDS if name in bounds)
    return " of ".join(filter(None, (noun, told)))


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _not(given: object) -> str:
    return "" if given is None else f", not {quoted(str(given))}"
