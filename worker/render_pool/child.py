"""The child process: `python -m worker.render_pool.child <memory bytes> <processor seconds>`.

Reads frames from standard input until it ends, which it does when the parent dies. Before it reads the first it limits
itself - memory for the whole process, processor time for each item, so that an orphan in an endless template ends too -
and gives up what rendering does not need (`confinement`).
"""

import json
import os
import resource
import signal
import sys
import time
import traceback
from types import TracebackType
from typing import Any, BinaryIO, Final

from shared import importing
from shared.notification.models import Template
from shared.notification.outcomes import Refusal, RefusalCode
from worker.render_pool.confinement import Confinement, confine
from worker.render_pool.wire import HEADER, frame, read_item, read_templates, write_result
from worker.rendering.request import render_request

EXIT_OUT_OF_MEMORY: Final = 77
"""Exit status of a child that an item drove out of memory."""

_NESTED_TOO_DEEPLY: Final = Refusal(RefusalCode.PAYLOAD_INVALID, "The payload is nested too deeply")


def main(memory_bytes: int, processor_seconds: float) -> None:
    """Answer every item, in order, until standard input ends."""
    importing.done()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # macOS refuses this limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for sent_to_the_whole_group in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The parent drains before it goes, and its going ends standard input.
        signal.signal(sent_to_the_whole_group, signal.SIG_IGN)
    sys.excepthook = _report_without_values

    held = confine()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    _send(sink, {"type": "ready", "lacking": sorted(set(Confinement) - held)} | _usage())
    templates: dict[int, dict[str, Template]] = {}
    while (body := _receive(source)) is not None:
        message = _load(body)
        if message is None:
            _send(sink, write_result(_NESTED_TOO_DEEPLY) | _usage())
        elif message["type"] == "templates":
            templates[message["call"]] = read_templates(message)
        elif message["type"] == "forget":
            templates.pop(message["call"], None)
        else:
            signal.setitimer(signal.ITIMER_PROF, processor_seconds)
            result = render_request(read_item(message, templates[message["call"]]))
            signal.setitimer(signal.ITIMER_PROF, 0)
            _send(sink, write_result(result) | _usage())


def _load(body: bytes) -> dict[str, Any] | None:
    try:
        return json.loads(body)  # type: ignore[no-any-return]
    except RecursionError:
        return None


def _usage() -> dict[str, Any]:
    return {"processor_seconds": time.process_time()}


def _receive(source: BinaryIO) -> bytes | None:
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    return source.read(length)


def _send(sink: BinaryIO, message: dict[str, Any]) -> None:
    sink.write(frame(message))
    sink.flush()


def _report_without_values(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Where it broke, without the message: that may quote a payload."""
    traceback.print_tb(trace)
    sys.stderr.write(f"{kind.__name__}\n")


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), float(sys.argv[2]))
    except MemoryError:
        os._exit(EXIT_OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)
