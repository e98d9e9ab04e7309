"""What every function does around its own work: paths, methods, deadline, and problems in the documented form."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.openapi import openapi_document
from functions.problems import Problem, ProblemCode
from shared import telemetry
from shared.supervision import Supervisor

DEADLINE_SECONDS = 8.0
"""Every call is answered by then, so that after SIGTERM the last one ends before Cloud Run kills (10 s); but for calls
of a function that says otherwise.
"""

OPENAPI_PATH = "/openapi.json"

_TRACE_CONTEXT = TraceContextTextMapPropagator()

Handler = Callable[[Request], Awaitable[Response]]


class Endpoint:
    """One function: it answers at `/`, where a service of its own has it, and at its name, where a gateway does."""

    def __init__(
        self,
        name: str,
        handlers: Mapping[str, Handler],
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        flushes_telemetry: bool = False,
    ) -> None:
        """`handlers` by HTTP method; GET answers HEAD too. `flushes_telemetry`: spans and metrics are sent before the
        answer, which takes up to a second more.
        """
        self._name = name
        self._paths = ("/", f"/{name}")
        self._handlers = handlers
        self._deadline_seconds = deadline_seconds
        self._flushes_telemetry = flushes_telemetry
        self._parts = Supervisor()

    async def __call__(self, request: Request) -> Response:
        """The answer; every error is a problem object."""
        # Here and not before, as connections are opened: what sends spans would not survive the framework's fork.
        telemetry.start(f"xnovu-{self._name}")
        try:
            response = await self._traced(request)
            if self._flushes_telemetry:
                await asyncio.to_thread(telemetry.flush)
        except Exception as error:  # noqa: BLE001 - nobody foresaw it; told of
            response = self._answer_fault(error)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _traced(self, request: Request) -> Response:
        token = context.attach(_caller_s_trace(request))
        try:
            with telemetry.span(self._name, {"http.request.method": request.method}, kind=SpanKind.SERVER) as span:
                response = await self._answer(request)
                span.set_attribute("http.response.status_code", response.status_code)
                return response
        finally:
            context.detach(token)

    async def _answer(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._dispatch(request)
        except Problem as problem:
            return problem.response()
        except TimeoutError:
            return Problem(
                ProblemCode.DEADLINE_EXCEEDED,
                "no answer in time; it is unknown whether anything was done: repeat with the same Idempotency-Key",
                headers={"Retry-After": "5"},
            ).response()
        except Exception as error:  # noqa: BLE001 - nobody foresaw it; told of
            return self._answer_fault(error)

    def _answer_fault(self, error: Exception) -> Response:
        """The framework would log the exception's text, which may quote the call."""
        self._parts.note(f"function {self._name}", error)
        return Problem(
            ProblemCode.INTERNAL_ERROR,
            "a fault of the function's; it is unknown whether anything was done",
            headers={"Retry-After": "5"},
        ).response()

    async def _dispatch(self, request: Request) -> Response:
        path = request.url.path.rstrip("/") or "/"
        if path == OPENAPI_PATH:
            return await _by_method(request, {"GET": _openapi})
        if path not in self._paths:
            raise Problem(ProblemCode.PATH_NOT_FOUND, f"this function answers at {' and '.join(self._paths)}")
        return await _by_method(request, self._handlers)


def _caller_s_trace(request: Request) -> Context:
    """Which trace the call is part of, and nothing else: baggage and vendors' state would go with the workflow, into
    Temporal's history, whatever they hold.
    """
    return _TRACE_CONTEXT.extract({"traceparent": request.headers.get("traceparent", "")})


async def _by_method(request: Request, handlers: Mapping[str, Handler]) -> Response:
    handler = handlers.get("GET" if request.method == "HEAD" else request.method)
    if handler is None:
        allowed = ", ".join(sorted({*handlers, "HEAD"} if "GET" in handlers else handlers))
        raise Problem(ProblemCode.METHOD_NOT_ALLOWED, f"allowed are {allowed}", headers={"Allow": allowed})
    return await handler(request)


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi_document())
