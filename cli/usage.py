"""What is said of wrong usage: which option or argument it was, what was given, what is meant, and what there is."""

import re
from typing import Any, NoReturn

from pydantic import ValidationError

from cli.failure import exit_with_hint
from shared.refused_value import one_of, why_refused
from shared.suggestion import did_you_mean

_HINT = " Hint: "
"""Parts a refusal of ours into what is wrong and what to do."""

_NO_SUCH_COMMAND = re.compile(r"(No such command '(.+)'\.)")


def is_help(error: Any) -> bool:
    """Whether it is the help of a group that was called without a command, which Click raises as if it were wrong."""
    return type(error).__name__ == "NoArgsIsHelpError"


def exit_with_usage(error: Any, command: str, code: int) -> NoReturn:
    """Leave as wrong usage does. `error` is Click's, whichever copy of it is loaded; `command` is what was called."""
    message, hint = _told(error)
    exit_with_hint(message, hint or f"{command} --help says what there is.", code)


def _told(error: Any) -> tuple[str, str]:
    """Message, and hint: empty where nothing says more than the command's help."""
    if isinstance(error.__cause__, ValidationError):
        why = _why(error.param, error.__cause__)
        return f"{_name(error)}: {why}{'' if why.endswith('?') else '.'}", ""
    if hasattr(error, "param_type"):  # an option or argument that is missing
        return error.format_message().partition("\n")[0], ""
    if hasattr(error, "param_hint"):  # refused by us
        message, _, hint = error.message.partition(_HINT)
        name = _name(error)
        return f"{name}: {message}" if name else message, hint
    if hasattr(error, "possibilities"):
        options = [name for parameter in error.ctx.command.params for name in parameter.opts if name.startswith("-")]
        return f"No such option: {error.option_name}.", did_you_mean(error.option_name, options)
    if found := _NO_SUCH_COMMAND.match(error.message):
        return found[1], did_you_mean(found[2], error.ctx.command.list_commands(error.ctx))
    return error.format_message(), ""


def _why(parameter: Any, refused: ValidationError) -> str:
    finding, kind = refused.errors(include_url=False)[0], parameter.type_descriptor
    if kind.choices is not None:
        return one_of([str(choice) for choice in kind.choices], finding["input"])
    least, most = kind.parameter_info.min, kind.parameter_info.max
    bounds = {name: value for name, value in (("ge", least), ("le", most)) if value is not None}
    return why_refused(finding, given=finding["input"], bounds=bounds)


def _name(error: Any) -> str:
    """As it stands in the help: `--count`, `NOTIFICATION_ID`; empty if it is about several of them."""
    if error.param_hint is not None:
        return str(error.param_hint)
    if error.param is None:
        return ""
    long = [name for name in error.param.opts if name.startswith("--")]
    return long[0] if long else str(error.param.metavar or error.param.name)
