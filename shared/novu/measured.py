"""Requests to Novu as spans and durations, by the conventions for HTTP clients."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from opentelemetry.trace import SpanKind, StatusCode

from shared.telemetry.metric import Kind, Metric, duration
from shared.telemetry.tracing import span

REQUEST_DURATION = Metric(
    "http.client.request.duration",
    Kind.HISTOGRAM,
    "s",
    "Requests to Novu until its answer; `error.type` is a status of 400 or more, or the fault that came instead.",
    ("http.request.method", "url.template", "http.response.status_code", "error.type"),
)
TOKEN_WAIT = Metric(
    "xnovu.novu.token.wait",
    Kind.HISTOGRAM,
    "s",
    "Waiting for a token of Novu's rate, until it came or the request was put off: `trigger`, `configuration` or"
    " `global`. Where nothing is counted there is none.",
    ("xnovu.novu.category",),
)
METRICS = (REQUEST_DURATION, TOKEN_WAIT)

_duration = duration(REQUEST_DURATION)


@contextmanager
def request(method: str, template: str) -> Iterator[Callable[[httpx.Response], httpx.Response]]:
    """Measure one request; call what is given with the answer. `template` is the path without its parameters."""
    attributes: dict[str, str | int] = {"http.request.method": method, "url.template": template}
    began = time.perf_counter()
    try:
        with span(f"{method} {template}", {**attributes}, kind=SpanKind.CLIENT) as current:

            def note(response: httpx.Response) -> httpx.Response:
                attributes["http.response.status_code"] = response.status_code
                current.set_attribute("http.response.status_code", response.status_code)
                if response.is_error:
                    attributes["error.type"] = str(response.status_code)
                    current.set_attribute("error.type", str(response.status_code))
                    current.set_status(StatusCode.ERROR)
                return response

            yield note
    except httpx.RequestError as error:
        attributes["error.type"] = type(error).__name__
        raise
    finally:
        _duration.record(time.perf_counter() - began, attributes)
