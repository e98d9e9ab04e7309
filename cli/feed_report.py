"""What a running daemon says of how row changes reach it."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from cli.daemon_record import DaemonRecord

ANSWERS_WITHIN_SECONDS = 2.0


def report_feed(daemon: DaemonRecord) -> Mapping[str, Any] | None:
    """`feed` of its /status (docs/health.md); None where it does not answer, as one that is just starting does not."""
    try:
        answer = httpx.get(
            f"{daemon.health_url}/status", timeout=ANSWERS_WITHIN_SECONDS, headers={"Accept": "application/json"}
        )
        feed = answer.json()["feed"]
    except (httpx.TransportError, ValueError, KeyError, TypeError):
        return None
    return feed if isinstance(feed, dict) else None


def feed_lines(feed: Mapping[str, Any] | None) -> Iterator[str]:
    """For people: how many are heard, since when, and what is or was in the way."""
    if feed is None:
        yield "feed: the daemon does not say; its log may"
        return
    proof = feed["last_proof_of_life_at"] or "never"
    ways = " and ".join(feed.get("ways") or ["nothing"])
    yield (
        f"feed by {ways}: {feed['heard']} of {feed['total']} enterprises heard, last proof of life: {proof},"
        f" reconnects: {feed['reconnects']}"
    )
    for error in feed["last_errors"]:
        yield f"feed, last error: {error}"
    for flaw in feed["flaws"]:
        yield f"feed, to be mended: {flaw}"
