"""What can be wrong with a template, beyond what the library has exceptions for. Messages name things, never values."""

from typing import Final

from liquid import Token
from liquid.exceptions import FilterArgumentError, LiquidError, UndefinedError

DATA_FAULTS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the library's code raises when handed data it was not written for."""


class UndefinedVariable(UndefinedError):
    """A template used a variable that is not there, where only a value will do."""

    def __init__(self, variable: str, *, token: Token | None, template_key: str) -> None:
        super().__init__(f"variable {variable} is undefined", token=token, template_name=template_key)
        self.variable = variable


class FilterRefused(FilterArgumentError):
    """A filter was given what it cannot take."""

    def __init__(self, filter_name: str, why: str = "cannot take this value or these arguments") -> None:
        super().__init__(f"filter {filter_name} {why}", token=None)
        self.filter_name = filter_name


class IncludeCycle(LiquidError):
    """A template includes itself, by way of others or not. `chain` names the way round."""

    def __init__(self, chain: tuple[str, ...], *, token: Token) -> None:
        super().__init__("include cycle", token=token)
        self.chain = chain


class IncludedTemplateNotFound(LiquidError):
    """The enterprise has no active template with the key that is to be included."""

    def __init__(self, key: str, *, token: Token) -> None:
        super().__init__("included template not found", token=token)
        self.key = key
