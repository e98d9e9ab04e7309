"""Values to try a template with, from what its `variables_description` says of its variables. Pure.

The column is free-form JSON; what people write there is taken as it is meant:

    {"name": "Whom it is for", "order.total": 12.5}                  texts describe, or are types; others are samples
    {"name": {"type": "string", "example": "Ada"}}                   a description of a variable, or of one within
    {"type": "object", "properties": {"name": {"type": "string"}}}   a JSON Schema
    [{"name": "name", "type": "string"}]                             a list of descriptions
"""

from collections.abc import Mapping
from typing import Any

_SAYS_MUCH = ("example", "sample", "default", "const")
_SAYS_SOMETHING = {*_SAYS_MUCH, "examples", "enum", "type", "properties", "items"}
_OF_A_DESCRIPTION = {*_SAYS_SOMETHING, "description", "title", "required", "format", "name", "optional", "nullable"}
_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("number", "integer", "int", "float", "decimal"), 1),
    **dict.fromkeys(("boolean", "bool"), True),
    **dict.fromkeys(("date", "datetime", "timestamp", "date-time"), "2026-01-02T03:04:05Z"),
    **dict.fromkeys(("url", "uri"), "https://example.com/"),
    "email": "ada@example.com",
    "null": None,
}
_DEEPEST = 20


def sample_variables(description: Any) -> dict[str, Any]:
    """A payload of all that is described; empty if nothing is."""
    variables: dict[str, Any] = {}
    for name, value in _described(description).items():
        _put(variables, name, _sample(name.rpartition(".")[2], value, 0))
    return variables


def _described(description: Any) -> Mapping[str, Any]:
    if isinstance(description, list):
        named = [one for one in description if isinstance(one, dict) and isinstance(one.get("name"), str)]
        return {one["name"]: one for one in named} | {one: one for one in description if isinstance(one, str)}
    if not isinstance(description, dict):
        return {}
    if isinstance(description.get("properties"), dict) and description.get("type", "object") == "object":
        return dict(description["properties"])
    return description


def _put(variables: dict[str, Any], name: str, value: Any) -> None:
    """`order.total` is a member of `order`, which others may be members of too."""
    *parents, last = name.split(".") if all(name.split(".")) else [name]
    for parent in parents:
        inner = variables.setdefault(parent, {})
        if not isinstance(inner, dict):
            inner = variables[parent] = {}
        variables = inner
    if isinstance(value, dict) and isinstance(there := variables.get(last), dict):
        there.update({key: item for key, item in value.items() if key not in there})
    else:
        variables[last] = value


def _sample(name: str, value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        return _TYPES.get(value.lower(), name)
    if not isinstance(value, dict):
        return value
    if not _is_description(value):
        inner: dict[str, Any] = {}
        for key, item in value.items():
            _put(inner, key, _sample(key.rpartition(".")[2], item, depth + 1))
        return inner
    for member in _SAYS_MUCH:
        if member in value:
            return value[member]
    for member in ("examples", "enum"):
        if isinstance(value.get(member), list) and value[member]:
            return value[member][0]
    return _of_type(name, value, depth)


def _is_description(value: Mapping[str, Any]) -> bool:
    """All of its members describe, and one of them says what the value is like: `{"type": {"example": 1}}` does not."""
    says = isinstance(value.get("type"), str | list) or any(name in value for name in _SAYS_SOMETHING - {"type"})
    says = says or isinstance(value.get("description"), str)
    return says and value.keys() <= _OF_A_DESCRIPTION


def _of_type(name: str, value: Mapping[str, Any], depth: int) -> Any:
    kind = value.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    properties = value.get("properties")
    if isinstance(properties, dict):
        return {key: _sample(key, item, depth + 1) for key, item in properties.items()}
    if kind == "array" or "items" in value:
        return [_sample(name, value["items"], depth + 1)] if isinstance(value.get("items"), dict) else [name]
    if kind == "object":
        return {}
    return _TYPES.get(str(kind).lower(), _TYPES.get(str(value.get("format")).lower(), name))
