"""What became of a notification at Novu, in lines for people. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.notification.delivery import DeliveryState

EXPLANATIONS = {
    DeliveryState.ACCEPTED: "Novu has it, and not everything is known yet",
    DeliveryState.DELIVERED: "everybody has it",
    DeliveryState.PARTLY: "some have it, and for others it failed",
    DeliveryState.UNDELIVERED: "nobody has it",
    DeliveryState.UNKNOWN: "Novu forgot it before everything was known",
}


def delivery_lines(delivery: Mapping[str, Any] | None) -> Iterator[str]:
    """`delivery` is the row's column; nothing is said where no account is kept."""
    if not isinstance(delivery, Mapping):
        return
    state = str(delivery.get("state"))
    explanation = EXPLANATIONS.get(DeliveryState(state)) if state in set(DeliveryState) else None
    cause = f"; first cause: {delivery['cause']}" if delivery.get("cause") else ""
    yield f"delivery: {state}" + (f" ({explanation}{cause})" if explanation else "")
    channels = delivery.get("channels")
    for channel, counts in sorted(channels.items()) if isinstance(channels, Mapping) else ():
        if isinstance(counts, Mapping):
            yield f"  {channel}: " + ", ".join(f"{counts.get(name, 0)} {name}" for name in _COUNTS)
    attempts = delivery.get("attempts")
    for attempt in attempts if isinstance(attempts, list) else ():
        if isinstance(attempt, Mapping):
            yield f"  {_attempt(attempt)}"


def _attempt(attempt: Mapping[str, Any]) -> str:
    channels = attempt.get("channels")
    where = ", ".join(map(str, channels)) if isinstance(channels, list) else "no channel"
    said = f"second try {attempt.get('try')} at {attempt.get('at')} by {attempt.get('by')}: "
    said += f"{attempt.get('messages')} in {where}"
    if "refused" in attempt:
        return f"{said}; refused: {attempt['refused']}"
    return f"{said}; {attempt.get('sent', 0)} sent, {attempt.get('failed', 0)} failed"


_COUNTS = ("sent", "failed", "skipped", "seen", "read")
