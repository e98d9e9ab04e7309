"""Why PostgREST could not answer, in words that quote nothing: PostgreSQL's messages repeat values, and whole rows."""

import re

import httpx
from postgrest.exceptions import APIError

from shared.ports import StoreUnavailable

_CODE_OF_POSTGREST = re.compile(r"PGRST[0-9]{3}")
_HTTP_STATUS = re.compile(r"[1-5][0-9]{2}")
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")

_CLASSES = {
    "08": "connection to the database failed",
    "0A": "feature not supported",
    "22": "a value is not valid for its type",
    "23": "a constraint refused a row",
    "25": "the transaction is in the wrong state",
    "28": "authorization refused",
    "3D": "no such database",
    "3F": "no such schema",
    "40": "the transaction was rolled back",
    "42": "no such function, table or column, or no right to it",
    "53": "out of resources",
    "54": "a limit of the database is exceeded",
    "55": "an object is not ready",
    "57": "cancelled, or the database shuts down",
    "58": "the database's system failed",
    "P0": "a trigger or function refused",
    "XX": "an internal error of the database",
}
"""What the first two characters of an SQLSTATE say (PostgreSQL's documentation, appendix A)."""


_WITHOUT_AN_ANSWER = (
    (httpx.ConnectTimeout, "no connection in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.PoolTimeout, "none of our own connections became free in time"),
    (httpx.TimeoutException, "no answer in time"),
    (httpx.NetworkError, "the connection broke"),
    (httpx.RemoteProtocolError, "the connection ended before there was an answer"),
)
"""What came instead of an answer, the first that fits; the exception's name follows for whoever looks it up."""

_REFUSED_KEY = ("Invalid API key", "No API key found in request")
"""The gateway before PostgREST says so, with 401 and no code."""


def store_unavailable(call: str, error: APIError | httpx.HTTPError) -> StoreUnavailable:
    """The failure of `call`, a function's or table's name, to be raised `from None`: the cause quotes what it met."""
    if not isinstance(error, APIError):
        kind = type(error).__name__
        words = next((f"{words} ({kind})" for each, words in _WITHOUT_AN_ANSWER if isinstance(error, each)), kind)
        return StoreUnavailable(f"{call}: {words}")
    code = "401" if error.message in _REFUSED_KEY else _code(error.code)
    if code is None:
        return StoreUnavailable(f"{call}: an answer that is none of PostgREST's")
    if _HTTP_STATUS.fullmatch(code):
        return StoreUnavailable(f"{call}: HTTP {code}", code=code)
    meaning = _CLASSES.get(code[:2], "PostgREST refused")
    return StoreUnavailable(f"{call}: {code} ({meaning})", code=code)


def _code(code: object) -> str | None:
    """A code of PostgreSQL's, PostgREST's or HTTP's; None for anything else that may stand in its place."""
    text = str(code)
    if _CODE_OF_POSTGREST.fullmatch(text) or _HTTP_STATUS.fullmatch(text):
        return text
    return text if _SQLSTATE.fullmatch(text) and text[:2] in _CLASSES else None
