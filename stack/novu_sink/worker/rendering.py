"""Renders a step's controls as Novu's framework does, with the traps that it has for values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError

_ENVIRONMENT = Environment()
_ENVIRONMENT.add_filter("json", lambda value: json.dumps(value, ensure_ascii=False, default=str))
_QUOTE_IN_TAG = re.compile(r'\{\{[^}]*"[^}]*\}\}|\{%[^%]*"[^%]*%\}')
_UNCLOSED_TAG = re.compile(r"\{%(?!.*?%\})", re.DOTALL)
_REFUSED_CONTROL = re.compile(r"[\x00-\x07\x0b\x0e-\x1f]")
_TRANSLATION = re.compile(r"\[T:([^\]]+)\]")


class RenderingFailed(Exception):
    """The step fails: Novu has no content for it."""


def render_controls(controls: Any, context: Mapping[str, Any], generation: str) -> Any:
    """The controls with every text in them rendered. `skip` is none of them.

    Raises:
        RenderingFailed: a template is wrong, or a value breaks the JSON that Novu makes of them all.
    """
    if isinstance(controls, Mapping):
        return {name: render_controls(value, context, generation) for name, value in controls.items() if name != "skip"}
    if isinstance(controls, list):
        return [render_controls(value, context, generation) for value in controls]
    return _render_control(controls, context, generation) if isinstance(controls, str) else controls


def render_text(template: str, context: Mapping[str, Any]) -> str:
    """One Liquid template.

    Raises:
        RenderingFailed: it is wrong.
    """
    try:
        return _parse(template).render(**context)
    except (LiquidError, RecursionError) as error:
        raise RenderingFailed(f"{type(error).__name__}: {error}") from error


def _render_control(template: str, context: Mapping[str, Any], generation: str) -> str:
    if _QUOTE_IN_TAG.search(template):
        raise RenderingFailed("a double quote inside {{ }} or {% %} ends the JSON text that holds it")
    text = render_text(template, context) if "{" in template else template
    if text != template and generation == "2024" and '"' in text:
        raise RenderingFailed("a double quote in a value ends the JSON text that holds it")
    if _UNCLOSED_TAG.search(text):
        raise RenderingFailed("an unclosed {% in a value cannot be repaired")
    if _REFUSED_CONTROL.search(text):
        raise RenderingFailed("a control character in a value is no JSON")
    return _TRANSLATION.sub(r"{{t.\1}}", text)


@lru_cache(maxsize=4096)
def _parse(template: str) -> BoundTemplate:
    return _ENVIRONMENT.from_string(template)
