"""What went wrong in a template, as a refusal: it names template, line and culprit and quotes no text or value."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from liquid import Token
from liquid.exceptions import (
    BlockNestingError,
    ContextDepthError,
    LiquidError,
    LiquidSyntaxError,
    LoopIterationLimitError,
    ResourceLimitError,
    UnknownFilterError,
)

from shared.notification.outcomes import Refusal, RefusalCode
from worker.rendering.budget import LimitExceeded
from worker.rendering.culprits import culprit
from worker.rendering.template_errors import (
    FilterRefused,
    IncludeCycle,
    IncludedTemplateNotFound,
    UndefinedVariable,
)

_LIBRARY_LIMITS: Final[Mapping[type[ResourceLimitError], str]] = {
    BlockNestingError: "block_nesting",
    ContextDepthError: "block_nesting",
    LoopIterationLimitError: "loop_iterations",
}
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_NAME: Final = re.compile(r"['\"](?:[\w\-]{1,40}|[^\w\s]{1,3})['\"]")


class RenderRefused(Exception):
    """The notification cannot be rendered and never will be: `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def refuse(code: RefusalCode, message: str, **details: Any) -> RenderRefused:
    """The exception for a refusal with these details."""
    return RenderRefused(Refusal(code, message, details))


def refusal_for(error: LiquidError, root_key: str, include_chain: Sequence[str]) -> RenderRefused:
    """The refusal for an error of the template language, raised somewhere in `include_chain`."""
    template = str(error.template_name or root_key)
    line = _line(error.token)
    details: dict[str, Any] = {"template": template}
    if line is not None:
        details["line"] = line
    if len(include_chain) > 1:
        details["chain"] = list(include_chain)
    where = f"Template {template}" + (f", line {line}" if line is not None else "")

    match error:
        case UndefinedVariable():
            code, what = RefusalCode.TEMPLATE_UNDEFINED_VARIABLE, f"variable {error.variable} is undefined"
            details["variable"] = error.variable
        case IncludeCycle():
            code, what = RefusalCode.TEMPLATE_INCLUDE_CYCLE, f"includes itself: {' -> '.join(error.chain)}"
            details["chain"] = list(error.chain)
        case IncludedTemplateNotFound():
            code, what = RefusalCode.TEMPLATE_NOT_FOUND, f"no active template {error.key} to include"
            details["included"] = error.key
        case LimitExceeded():
            code, what = RefusalCode.TEMPLATE_LIMIT_EXCEEDED, f"exceeds the limit {error.limit}"
            details["limit"] = error.limit
        case ResourceLimitError():
            limit = _LIBRARY_LIMITS.get(type(error), "work")
            code, what = RefusalCode.TEMPLATE_LIMIT_EXCEEDED, f"exceeds the limit {limit}"
            details["limit"] = limit
        case UnknownFilterError():
            name = error.token.value if error.token else ""
            code, what = RefusalCode.TEMPLATE_INVALID, f"there is no filter {name}"
            details["filter"] = name
        case FilterRefused():
            code, what = RefusalCode.TEMPLATE_INVALID, str(error.message)
            details["filter"] = error.filter_name
        case LiquidSyntaxError():
            message = str(error.message)
            why = culprit(error.token, message) or _without_quotes(message)
            code, what = RefusalCode.TEMPLATE_INVALID, f"syntax error: {why}"
        case _:
            code, what = RefusalCode.TEMPLATE_INVALID, "a value is of the wrong type here"
    return RenderRefused(Refusal(code, f"{where}: {what}", details))


def _line(token: Token | None) -> int | None:
    if token is None or token.start_index < 0:
        return None
    return token.source.count("\n", 0, token.start_index) + 1


def _without_quotes(message: str) -> str:
    """The library's words on a syntax error, without what they quote of the template but mere names and signs."""
    return _QUOTED.sub(lambda found: found.group() if _NAME.fullmatch(found.group()) else "text", message)[:200]
