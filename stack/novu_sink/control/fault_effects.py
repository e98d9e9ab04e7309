"""What each fault does to one request: before its events are accepted, or to the answer afterwards."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stack.novu_sink.api.answers import Refused, refusal
from stack.novu_sink.control.faults import (
    AcceptThenHang,
    AnswerFault,
    RateLimited,
    ResetConnection,
    ServerError,
    Unauthorized,
    UnreadableAnswer,
)


def fail_at_the_door(fault: AnswerFault | None) -> None:
    """Raises Refused under a fault that Novu's guards have."""
    match fault:
        case RateLimited():
            headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            raise Refused(429, "API rate limit exceeded", headers=headers)
        case Unauthorized():
            raise Refused(401, "API Key not found", error="Unauthorized")


def fail_before_accepting(fault: AnswerFault | None) -> None:
    """Raises Refused under a fault that keeps the endpoint from accepting anything."""
    if isinstance(fault, ServerError) and not fault.accepted:
        raise _server_error(fault)


def status_under(fault: AnswerFault | None, status: int) -> int | None:
    """The HTTP status that an accepted request gets; None if it gets none."""
    match fault:
        case AcceptThenHang() | ResetConnection():
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
        case ResetConnection():
            return _Reset()
        case ServerError():
            return refusal(_server_error(fault), request.url.path)
        case UnreadableAnswer():
            return Response(fault.body, fault.status, media_type="text/html")
        case _:
            return answer


class _Reset(Response):
    """No answer: the connection is cut. uvicorn's protocol, whose `receive` this is, has it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle = getattr(receive, "__self__")  # noqa: B009 (a bound method of uvicorn's, which its type does not say)
        cycle.transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


def _server_error(fault: ServerError) -> Refused:
    message = "Internal server error, contact support and provide them with the errorId"
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return Refused(fault.status, message, headers=headers)
