"""What each fault does to one request: before its events are accepted, or to the answer afterwards."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from stack.novu_sink.answers import Refused, refusal
from stack.novu_sink.faults import (
    AcceptThenHang,
    AnswerFault,
    RateLimited,
    ServerError,
    Unauthorized,
    UnreadableAnswer,
)


def fail_before_accepting(fault: AnswerFault | None) -> None:
    """Raises Refused under a fault that keeps the request from being accepted."""
    match fault:
        case RateLimited():
            raise Refused(429, "API rate limit exceeded", retry_after=fault.retry_after)
        case Unauthorized():
            raise Refused(401, "API Key not found")
        case ServerError(accepted=False):
            raise _server_error(fault)


def status_under(fault: AnswerFault | None, status: int) -> int | None:
    """The HTTP status that an accepted request gets; None if it gets none."""
    match fault:
        case AcceptThenHang():
            return None
        case ServerError() | UnreadableAnswer():
            return fault.status
        case _:
            return status


async def answer_under(fault: AnswerFault | None, request: Request, answer: Response) -> Response:
    """What goes out instead of `answer`; under AcceptThenHang nothing does before the caller is gone."""
    match fault:
        case AcceptThenHang():
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return Response(status_code=504)
        case ServerError():
            return refusal(_server_error(fault), request.url.path)
        case UnreadableAnswer():
            return Response(fault.body, fault.status, media_type="text/html")
        case _:
            return answer


def _server_error(fault: ServerError) -> Refused:
    message = "Internal server error, contact support and provide them with the errorId"
    return Refused(fault.status, message, retry_after=fault.retry_after)
