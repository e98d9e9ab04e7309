"""What a log record says, freed of values and of what foreign exceptions say: libraries put them into sentences."""

import logging
import sys
from collections.abc import Iterator
from contextlib import suppress

from shared.exception_text import chain, describe, is_ours

_LONGEST = 300
_SHORTEST_QUOTE = 3


def message_of(record: logging.LogRecord) -> str:
    """The first line of the record's message, at most 300 characters.

    Values are put in where they are numbers, or where Temporal's SDK names its workflows; others by their type.
    """
    text = _interpolated(record)
    for error in _mentioned(record):
        for quote in _quotes(error):
            text = text.replace(quote, type(error).__name__)
    return text.partition("\n")[0][:_LONGEST]


def _quotes(error: BaseException) -> Iterator[str]:
    """As a sentence may hold it."""
    for written in (repr, str):
        with suppress(Exception):  # a foreign exception may not even be able to say what it is
            quote = written(error)
            if len(quote) >= _SHORTEST_QUOTE:
                yield quote


def _interpolated(record: logging.LogRecord) -> str:
    values = (int, float, str) if record.name.startswith("temporalio.") else (int, float)

    def told(value: object) -> object:
        if isinstance(value, BaseException):
            return describe(value)
        return value if isinstance(value, values) else f"<{type(value).__name__}>"

    template, arguments = str(record.msg), record.args
    if not arguments:
        return template
    try:
        if isinstance(arguments, tuple):
            return template % tuple(map(told, arguments))
        return template % {name: told(value) for name, value in arguments.items()}
    except (TypeError, ValueError, KeyError):
        return template


def _mentioned(record: logging.LogRecord) -> Iterator[BaseException]:
    """The foreign exceptions that the line may quote: given with it, or being handled by whoever writes it."""
    given = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    for error in (given, sys.exception()):
        if error is not None:
            yield from (one for one in chain(error) if not is_ours(one))
