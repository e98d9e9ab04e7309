"""Requests to Novu as spans and durations, by the conventions for HTTP clients."""

import time
from collections import deque
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

SLOW_COUNTS_SECONDS = 5.0
"""For how long a slow answer tells something: with a heartbeat and a look less than the 15 s to recover in."""

_duration = duration(REQUEST_DURATION)
_under_way: dict[object, float] = {}
_answered: deque[tuple[float, float]] = deque(maxlen=1000)


def unanswered_seconds() -> float:
    """How long the oldest call of this process to Novu has been without an answer; 0 without any."""
    return max((time.perf_counter() - began for began in _under_way.values()), default=0.0)


def slow_seconds() -> float:
    """How long the slowest of its latest answers took; 0 without any."""
    now = time.perf_counter()
    return max((took for ended, took in _answered if now - ended <= SLOW_COUNTS_SECONDS), default=0.0)


@contextmanager
def request(method: str, template: str) -> Iterator[Callable[[httpx.Response], httpx.Response]]:
    """Measure one request; call what is given with the answer. `template` is the path without its parameters."""
    attributes: dict[str, str | int] = {"http.request.method": method, "url.template": template}
    began = time.perf_counter()
    call = object()
    _under_way[call] = began
    try:
        with span(f"{method} {template}", {**attributes}, kind=SpanKind.CLIENT) as current:

            def note(response: httpx.Response) -> httpx.Response:
                attributes["http.response.status_code"] = response.status_code
                ended = time.perf_counter()
                _answered.append((ended, ended - began))
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
        del _under_way[call]
        _duration.record(time.perf_counter() - began, attributes)
