"""Everybody who can be asked how a deployment is: the daemon's /status, /health and page, and the functions."""

import asyncio
import hashlib
import html
import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from stack.processes import ChildProcess, free_port

OPERATOR_KEY = "operator"
ANSWERS_WITHIN_SECONDS = 10.0
"""A function's deadline, and time to spare on a machine that is busy."""

ASKED_EVERY_SECONDS = 0.5
"""Each of them: more would keep a daemon that has to recover from its work."""

_FIRST_PROBLEM = re.compile(
    r'<ul class="problems">\s*<li class="(\w+)">\s*<p><strong>(.*?)</strong> (.*?)</p>(?:\s*<p class="do">(.*?)</p>)?',
    re.S,
)


class Observer(ABC):
    """One way to be told how a deployment is."""

    def __init__(self, name: str, url: str, headers: Mapping[str, str]) -> None:
        self.name = name
        self.url = url
        self.client = httpx.AsyncClient(headers=headers, timeout=ANSWERS_WITHIN_SECONDS)
        self._next_at = 0.0

    async def ask(self) -> httpx.Response:
        """The answer, some time after the one before. Raises httpx.TransportError while nobody answers."""
        await asyncio.sleep(max(0.0, self._next_at - time.monotonic()))
        try:
            return await self.client.get(self.url)
        finally:
            self._next_at = time.monotonic() + ASKED_EVERY_SECONDS

    async def said(self) -> str:
        """The condition and its cause; empty while nobody answers."""
        try:
            return self.first(await self.ask())
        except httpx.TransportError:
            return ""

    @abstractmethod
    def first(self, answer: httpx.Response) -> str:
        """What an answer tells first, as "condition: cause"."""


class Reporter(Observer):
    """It answers with a report as JSON, or with a problem that holds one."""

    def first(self, answer: httpx.Response) -> str:
        report = _report(answer)
        return f"{report['status']}: {report.get('summary', 'all is well')}"

    async def look(self) -> dict[str, Any]:
        """The report. Raises httpx.TransportError while nobody answers."""
        return _report(await self.ask())


class Page(Observer):
    """The page that people see."""

    def first(self, answer: httpx.Response) -> str:
        assert answer.headers["content-type"].startswith("text/html")
        problem = _FIRST_PROBLEM.search(answer.text)
        if problem is None:
            return "healthy: no problem is shown"
        condition, part, reason, do = problem.groups()
        return html.unescape(f"{condition}: {part}: {reason} {do}")


class Function(Reporter):
    """`health` or `status` as its container runs it, in a process of its own."""

    def __init__(self, target: str, directory: Path, environment: Mapping[str, str]) -> None:
        port = free_port()
        super().__init__(f"function {target}", f"http://127.0.0.1:{port}", {"X-Api-Key": OPERATOR_KEY})
        self._process = ChildProcess(f"function-{target}", directory / f"function-{target}.log")
        self._environment = {
            **environment,
            "FUNCTIONS_API_KEYS": f"operator:{hashlib.sha256(OPERATOR_KEY.encode()).hexdigest()}",
            "FUNCTION_TARGET": target,
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }

    async def begin_anew(self) -> None:
        """As an instance that comes only now, and has never asked anybody; it takes seconds until it listens."""
        await self._process.kill()
        await self._process.start([sys.executable, "-m", "cli", "function"], self._environment)

    async def kill(self) -> None:
        await self._process.kill()


class Observers:
    """All of them."""

    def __init__(self, health_url: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.daemon = Reporter("/status", f"{health_url}/status", {"Accept": "application/json"})
        self.health = Reporter("/health", f"{health_url}/health", {})
        self.page = Page("page", f"{health_url}/status", {"Accept": "text/html"})
        self.standing = Function("health", directory, environment)
        """Has been asked before."""
        self.newcomer = Function("status", directory, environment)
        """Begins with each fault, as where no instance is kept."""

    @property
    def functions(self) -> list[Reporter]:
        return [self.standing, self.newcomer]

    @property
    def everybody(self) -> list[Observer]:
        return [self.daemon, self.health, self.page, *self.functions]


def _report(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    report: dict[str, Any] = body.get("report", body)
    assert "status" in report, f"{answer.status_code} {answer.text}"
    return report


@asynccontextmanager
async def observing(health_url: str, directory: Path, environment: Mapping[str, str]) -> AsyncIterator[Observers]:
    """The functions run within the block."""
    observers = Observers(health_url, directory, environment)
    async with AsyncExitStack() as parts:
        for observer in observers.everybody:
            parts.push_async_callback(observer.client.aclose)
        for function in (observers.standing, observers.newcomer):
            parts.push_async_callback(function.kill)
            await function.begin_anew()
        yield observers
