"""Whole numbers in a query."""

from __future__ import annotations

from starlette.requests import Request

from stack.novu_sink.api.answers import validation_error


def whole_number(request: Request, name: str, default: int, lowest: int, highest: int, generation: str) -> int:
    """The query's `name`.

    Raises:
        Refused: it is no whole number, or too small or too large.
    """
    text = request.query_params.get(name, str(default))
    complaints = []
    if not text.isdigit():
        complaints.append(f"{name} must be an integer number")
    elif int(text) < lowest:
        complaints.append(f"{name} must not be less than {lowest}")
    elif int(text) > highest:
        complaints.append(f"{name} must not be greater than {highest}")
    if complaints:
        raise validation_error(generation, complaints)
    return int(text)
