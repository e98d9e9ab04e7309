"""Every refusal the REST half can give, with PostgREST's codes, texts and HTTP statuses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from starlette.responses import Response

JSON_CONTENT_TYPE = "application/json; charset=utf-8"


class RestError(Exception):
    """A request that ends with an error body: HTTP status, code, and the three texts PostgREST gives."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: str | Sequence[Mapping[str, str]] | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.hint = hint
        self.headers = dict(headers or {})

    def response(self, *, with_body: bool) -> Response:
        """The answer as PostgREST sends it: clients of HEAD requests read the code from `Proxy-Status`."""
        body = {"code": self.code, "details": self.details, "hint": self.hint, "message": self.message}
        headers = {"Proxy-Status": f"PostgREST; error={self.code}", **self.headers}
        return Response(json.dumps(body) if with_body else None, self.status, headers, media_type=JSON_CONTENT_TYPE)


def not_implemented(what: str) -> RestError:
    """PostgREST can do this, this edge cannot: nobody may mistake its absence for an answer."""
    return RestError(501, "EDGE501", f"This edge does not implement {what}", details=what)


def malformed(what: str, text: str, position: int, problem: str) -> RestError:
    """`what` (a query parameter) says `text`, which ceases to make sense at the 0-based `position`."""
    message = f'"failed to parse {what} ({text})" (line 1, column {position + 1})'
    return RestError(400, "PGRST100", message, details=problem)


def invalid_body(message: str) -> RestError:
    return RestError(400, "PGRST102", message)


def invalid_range(details: str) -> RestError:
    return RestError(416, "PGRST103", "Requested range not satisfiable", details=details)


def unexposed_schema(schema: str, exposed: Iterable[str]) -> RestError:
    hint = f"Only the following schemas are exposed: {', '.join(exposed)}"
    return RestError(406, "PGRST106", f"Invalid schema: {schema}", hint=hint)


def unacceptable_media_type(accept: str) -> RestError:
    return RestError(406, "PGRST107", f"None of these media types are available: {accept}")


def not_singular(row_count: int) -> RestError:
    message = "Cannot coerce the result to a single JSON object"
    return RestError(406, "PGRST116", message, details=f"The result contains {row_count} rows")


def unsupported_method(method: str) -> RestError:
    return RestError(405, "PGRST117", f"Unsupported HTTP method: {method}")


def invalid_rpc_method(method: str) -> RestError:
    return RestError(405, "PGRST101", f"Cannot use the {method} method on RPC")


def invalid_preferences(preferences: Iterable[str]) -> RestError:
    details = f"Invalid preferences: {', '.join(preferences)}"
    return RestError(400, "PGRST122", "Invalid preferences given with handling=strict", details=details)


def too_many_affected(row_count: int) -> RestError:
    message = "Query result exceeds max-affected preference constraint"
    return RestError(400, "PGRST124", message, details=f"The query affects {row_count} rows")


def invalid_path() -> RestError:
    return RestError(404, "PGRST125", "Invalid path specified in request URL")


def max_affected_needs_a_set() -> RestError:
    message = "Function must return SETOF or TABLE when max-affected preference is used with handling=strict"
    return RestError(400, "PGRST128", message)


def function_not_found(
    schema: str, name: str, arguments: Iterable[str], overloads: Iterable[str], names: Iterable[str]
) -> RestError:
    """No function fits; `overloads` are the argument lists this name has, `names` all functions of the schema."""
    listed = ", ".join(sorted(arguments))
    function = f"{schema}.{name}"
    called = f"{function}({listed})" if listed else f"{function} without parameters"
    plural = "parameters" if ", " in listed else "parameter"
    searched = (
        f"{function} with {plural} {listed} or with a single unnamed json/jsonb parameter"
        if listed
        else f"{function} without parameters or with a single unnamed json/jsonb parameter"
    )
    signatures = [f"({overload})" for overload in overloads]
    closest = (
        [name + signature for signature in get_close_matches(f"({listed})", signatures, n=1, cutoff=0.33)]
        if signatures
        else get_close_matches(name, list(names), n=1, cutoff=0.75)
    )
    return RestError(
        404,
        "PGRST202",
        f"Could not find the function {called} in the schema cache",
        details=f"Searched for the function {searched}, but no matches were found in the schema cache.",
        hint=f"Perhaps you meant to call the function {schema}.{closest[0]}" if closest else None,
    )


def ambiguous_function(signatures: Iterable[str]) -> RestError:
    return RestError(
        300,
        "PGRST203",
        f"Could not choose the best candidate function between: {', '.join(signatures)}",
        hint="Try renaming the parameters or the function itself in the database so function overloading can be"
        " resolved",
    )


def column_not_found(table: str, column: str) -> RestError:
    return RestError(400, "PGRST204", f"Could not find the '{column}' column of '{table}' in the schema cache")


def table_not_found(schema: str, table: str, tables: Iterable[str]) -> RestError:
    closest = get_close_matches(table, list(tables), n=1, cutoff=0.75)
    hint = f"Perhaps you meant the table '{schema}.{closest[0]}'" if closest else None
    message = f"Could not find the table '{schema}.{table}' in the schema cache"
    return RestError(404, "PGRST205", message, hint=hint)


def not_embedded(resource: str) -> RestError:
    hint = f"Verify that '{resource}' is included in the 'select' query parameter."
    return RestError(400, "PGRST108", f"'{resource}' is not an embedded resource in this request", hint=hint)


def order_needs_one(origin: str, target: str) -> RestError:
    details = f"'{origin}' and '{target}' do not form a many-to-one or one-to-one relationship"
    return RestError(400, "PGRST118", f"A related order on '{target}' is not possible", details=details)


def bad_operator_on_embedded(resource: str) -> RestError:
    details = "Only is null or not is null filters are allowed on embedded resources"
    return RestError(400, "PGRST120", f"Bad operator on the '{resource}' embedded resource", details=details)


def relationship_not_found(
    schema: str, origin: str, target: str, hint: str | None, reachable: Iterable[str]
) -> RestError:
    """No foreign key leads from `origin` to `target`; `reachable` is where the others lead."""
    using = f"' using the hint '{hint}" if hint is not None else ""
    closest = [name for name in get_close_matches(target, list(reachable), n=1, cutoff=0.33) if name != target]
    return RestError(
        400,
        "PGRST200",
        f"Could not find a relationship between '{origin}' and '{target}' in the schema cache",
        details=f"Searched for a foreign key relationship between '{origin}' and '{target}{using}' in the schema"
        f" '{schema}', but no matches were found.",
        hint=f"Perhaps you meant '{closest[0]}' instead of '{target}'." if closest else None,
    )


def ambiguous_relationship(
    origin: str, target: str, hints: Iterable[str], described: Sequence[Mapping[str, str]]
) -> RestError:
    return RestError(
        300,
        "PGRST201",
        f"Could not embed because more than one relationship was found for '{origin}' and '{target}'",
        details=described,
        hint=f"Try changing '{target}' to one of the following: {', '.join(hints)}. Find the desired relationship in"
        " the 'details' key.",
    )


def invalid_token(code: str, message: str, details: str | None = None) -> RestError:
    challenge = f'Bearer error="invalid_token", error_description="{message}"'
    return RestError(401, code, message, details=details, headers={"WWW-Authenticate": challenge})


def database_unreachable(details: str) -> RestError:
    message = "Database connection error. Retrying the connection."
    return RestError(503, "PGRST000", message, details=details, headers={"Retry-After": "1"})


def database_connection_lost(details: str) -> RestError:
    message = "Database client error. Retrying the connection."
    return RestError(503, "PGRST001", message, details=details, headers={"Retry-After": "1"})


def catalogue_unavailable() -> RestError:
    message = "Could not query the database for the schema cache. Retrying."
    return RestError(503, "PGRST002", message, headers={"Retry-After": "1"})


def pool_exhausted() -> RestError:
    return RestError(504, "PGRST003", "Timed out acquiring connection from connection pool.")
