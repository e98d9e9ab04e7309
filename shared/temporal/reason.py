"""Why Temporal could not be asked, without the words of the library beneath its client."""

import re

from temporalio.service import RPCError

_MESSAGE = re.compile(r'message: "([^"]{1,200})"')


def temporal_reason(error: RPCError | RuntimeError) -> str:
    """A few words; the library's whole account of its own objects is for nobody."""
    text = error.message if isinstance(error, RPCError) else str(error)
    if "Timeout expired" in text or "call error after connection" in text:
        return "no answer in time"
    before, library, inside = text.partition("tonic::")
    if not library:
        return text
    if found := _MESSAGE.search(inside):
        return found[1]
    if "timed out" in inside.lower() or "timedout" in inside.lower() or "deadline" in inside.lower():
        return "no answer in time"
    return before.strip(": ") or "no connection"
