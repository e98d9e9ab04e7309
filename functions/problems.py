"""Errors that callers see: problem objects (RFC 9457) with a code from docs/error_codes.md."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from starlette.responses import JSONResponse

PROBLEM_MEDIA_TYPE = "application/problem+json"


class ProblemCode(StrEnum):
    """What went wrong with a call; each has its line in docs/error_codes.md."""

    INVALID_JSON = "invalid_json"
    INVALID_REQUEST = "invalid_request"
    INVALID_IDEMPOTENCY_KEY = "invalid_idempotency_key"
    INVALID_RECIPIENTS = "invalid_recipients"
    MIXED_ENTERPRISES = "mixed_enterprises"
    REFUSED_BY_DATABASE = "refused_by_database"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_SIGNATURE = "invalid_signature"
    ENTERPRISE_NOT_ALLOWED = "enterprise_not_allowed"
    ENTERPRISE_NOT_SERVED = "enterprise_not_served"
    OPERATORS_ONLY = "operators_only"
    OVERRIDE_NOT_ALLOWED = "override_not_allowed"
    PATH_NOT_FOUND = "path_not_found"
    NOTIFICATION_NOT_FOUND = "notification_not_found"
    WORKFLOW_NOT_FOUND = "workflow_not_found"
    RUN_NOT_FOUND = "run_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    NOT_SENDABLE = "not_sendable"
    TICK_IN_PROGRESS = "tick_in_progress"
    INTERNAL_ERROR = "internal_error"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RATE_LIMITED = "rate_limited"
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"


STATUS: Mapping[ProblemCode, int] = {
    ProblemCode.INVALID_JSON: 400,
    ProblemCode.INVALID_REQUEST: 400,
    ProblemCode.INVALID_IDEMPOTENCY_KEY: 400,
    ProblemCode.INVALID_RECIPIENTS: 400,
    ProblemCode.MIXED_ENTERPRISES: 400,
    ProblemCode.REFUSED_BY_DATABASE: 400,
    ProblemCode.UNAUTHENTICATED: 401,
    ProblemCode.INVALID_SIGNATURE: 401,
    ProblemCode.ENTERPRISE_NOT_ALLOWED: 403,
    ProblemCode.OPERATORS_ONLY: 403,
    ProblemCode.OVERRIDE_NOT_ALLOWED: 403,
    ProblemCode.PATH_NOT_FOUND: 404,
    ProblemCode.NOTIFICATION_NOT_FOUND: 404,
    ProblemCode.WORKFLOW_NOT_FOUND: 404,
    ProblemCode.RUN_NOT_FOUND: 404,
    ProblemCode.METHOD_NOT_ALLOWED: 405,
    ProblemCode.IDEMPOTENCY_CONFLICT: 409,
    ProblemCode.NOT_SENDABLE: 409,
    ProblemCode.ENTERPRISE_NOT_SERVED: 409,
    ProblemCode.TICK_IN_PROGRESS: 409,
    ProblemCode.INTERNAL_ERROR: 500,
    ProblemCode.BODY_TOO_LARGE: 413,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ProblemCode.RATE_LIMITED: 429,
    ProblemCode.DEPENDENCY_UNAVAILABLE: 503,
    ProblemCode.DEADLINE_EXCEEDED: 503,
}


class Problem(Exception):
    """The call ends here. `detail` is for a person and quotes nothing of payload or recipients; `members` are further
    members of the object.
    """

    def __init__(
        self, code: ProblemCode, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = headers
        self.members = members

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]

    def response(self) -> JSONResponse:
        """The problem as it is sent."""
        body = {
            "type": "about:blank",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.members,
        }
        return JSONResponse(body, self.status, self.headers, PROBLEM_MEDIA_TYPE)


def unauthenticated(detail: str) -> Problem:
    """Nobody knows who calls."""
    return Problem(ProblemCode.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": 'Bearer realm="xnovu"'})


def dependency_unavailable(dependency: str, detail: str, **members: Any) -> Problem:
    """`dependency` ("supabase", "temporal" or "cloud_run") did not answer; the caller should come back."""
    return Problem(
        ProblemCode.DEPENDENCY_UNAVAILABLE, detail, headers={"Retry-After": "5"}, dependency=dependency, **members
    )
