"""What PostgreSQL refused, as PostgREST says it over HTTP."""

from __future__ import annotations

import asyncpg

from stack.edge.rest.errors import RestError, not_implemented

_STATUS_OF_CODE = {
    "23503": 409,  # foreign key violation
    "23505": 409,  # unique violation
    "25006": 405,  # write in a read-only transaction
    "42883": 404,  # undefined function
    "42P01": 404,  # undefined table
    "42P17": 500,  # infinite recursion
    "53400": 500,  # configuration limit exceeded
    "57P01": 503,  # terminated by an administrator
    "P0001": 400,  # raise exception
}
_STATUS_OF_CLASS = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "XX": 500,
}


def refused_by_database(error: asyncpg.PostgresError, *, anonymous: bool) -> RestError:
    """The error body for `error`; a privilege error is 401 for the anonymous role and 403 for any other."""
    code = error.sqlstate or "XX000"
    message = error.args[0] if error.args else ""
    if code == "PGRST":
        return not_implemented("responses raised with SQLSTATE 'PGRST'")
    status = _status(code, message, anonymous)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return RestError(status, code, message, details=error.detail, hint=error.hint, headers=headers)


def _status(code: str, message: str, anonymous: bool) -> int:
    if code == "42501":
        return 401 if anonymous else 403
    if code == "22023":
        return 401 if message.startswith("role") and message.endswith("does not exist") else 400
    if code == "21000":
        return 400 if message.endswith("requires a WHERE clause") else 500
    if code.startswith("PT"):
        chosen = int(code[2:]) if code[2:].isdigit() else 0
        return chosen if 200 <= chosen <= 599 else 500
    return _STATUS_OF_CODE.get(code) or _STATUS_OF_CLASS.get(code[:2], 400)
