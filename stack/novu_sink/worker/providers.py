"""Whether a provider takes a message. It is asked once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

from stack.novu_sink.control.settings import ProviderFault


class Providers:
    """Applies the faults that are set, and remembers which of them are used up."""

    def __init__(self, remember: Callable[[str, str], None]) -> None:
        self._remember = remember
        self._used: Counter[ProviderFault] = Counter()
        self.known: dict[str, str] = {}
        """What was refused before this process: the same is refused again, in the same words."""

    def refusal(
        self, faults: Sequence[ProviderFault], channel: str, subscriber: str, workflow: str, transaction_id: str
    ) -> str | None:
        """What the provider says to this message; None if it takes it."""
        key = refusal_key(channel, subscriber, workflow, transaction_id)
        if key in self.known:
            return self.known[key]
        for fault in faults:
            concerned = (
                fault.channel in (None, channel)
                and fault.subscriber in (None, subscriber)
                and fault.workflow in (None, workflow)
                and _chance(channel, subscriber, transaction_id) < fault.share
            )
            if concerned and (fault.times is None or self._used[fault] < fault.times):
                self._used[fault] += 1
                self._remember(key, fault.raw)
                return fault.raw
        return None


def refusal_key(*parts: str) -> str:
    """Names one message to one person."""
    return "\t".join(parts)


def _chance(*parts: str) -> float:
    """A number from 0 to 1 that is always the same for the same message."""
    digest = hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
