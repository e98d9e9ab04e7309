"""The Novu sink as its own process, on a free port, ended with the block that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from stack.processes import free_port

SECRET_KEY = "a-novu-key-for-tests"
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_SETTLES_WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class SinkProcess:
    """A running sink, and what a test asks of it beside the interface under test."""

    url: str
    process: subprocess.Popen[bytes]
    client: httpx.Client

    @classmethod
    @contextmanager
    def started(cls, *arguments: str) -> Iterator[SinkProcess]:
        """Run `python -m stack.novu_sink` until the block ends."""
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "stack.novu_sink", "--port", str(port), *arguments],
            env={**os.environ, "NOVU_SECRET_KEY": SECRET_KEY},
        )
        try:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url) as client:
                sink = cls(url, process, client)
                sink._wait_until_serving()
                yield sink
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)

    def reset(self) -> None:
        """As if it had just been started."""
        self._control("DELETE", "settings")
        self._control("DELETE", "calls")
        self._control("DELETE", "faults")

    def fail(self, *faults: Mapping[str, Any]) -> None:
        self._control("POST", "faults", json=list(faults))

    def settings(self, **changes: Any) -> None:
        self._control("PATCH", "settings", json=changes)

    def make_workflows(self, *workflow_ids: str) -> None:
        """Sample workflows, which show whatever they are triggered with."""
        self._control("POST", "workflows", json={"make": workflow_ids})

    def truth(self, **chosen: str) -> dict[str, Any]:
        """Once nothing waits any more."""
        deadline = time.monotonic() + _SETTLES_WITHIN_SECONDS
        while True:
            truth: dict[str, Any] = self._control("GET", "truth", params=chosen).json()
            if not truth["waiting"]:
                return truth
            assert time.monotonic() < deadline, f"{truth['waiting']} still waiting"
            time.sleep(0.005)

    def ends(self, transaction_id: str = "t1") -> dict[str, dict[str, int]]:
        """By channel, to which ends the messages of one event came."""
        people = self.truth(transaction_id_prefix=transaction_id)["people"]
        ends: dict[str, Counter[str]] = {}
        for one in people:
            counts = {name: count for name, count in one.items() if isinstance(count, int)}
            ends.setdefault(one["channel"], Counter()).update(counts)
        return {channel: dict(counts) for channel, counts in ends.items()}

    def environment(self, name: str) -> dict[str, Any]:
        environments = self._control("GET", "environments").json()["environments"]
        found: dict[str, Any] = next(one for one in environments if one["name"] == name)
        return found

    def order(self, what: str, **members: Any) -> httpx.Response:
        """Any other order of the control interface."""
        return self._control("POST", what, json=members)

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self._control("GET", "summary").json()
        return summary

    def calls(self, **chosen: str) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self._control("GET", "calls", params=chosen).json()["calls"]
        return calls

    def requests(self) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = self._control("GET", "requests").json()["requests"]
        return requests

    def inbox(self, **chosen: str) -> httpx.Response:
        self.truth()
        return self.client.get("/", params=chosen).raise_for_status()

    def paths(self) -> list[str]:
        return [request["path"].removeprefix("/v1/events/") for request in self.requests()]

    def transaction_ids(self) -> list[str]:
        return [call["transaction_id"] for call in self.calls()]

    def _control(self, method: str, what: str, **how: Any) -> httpx.Response:
        return self.client.request(method, f"/_sink/{what}", **how).raise_for_status()

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._control("GET", "health")
                return
            except httpx.TransportError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
