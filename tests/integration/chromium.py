"""A page in a headless Chromium, driven over its DevTools protocol: what a reader would see and do."""

import asyncio
import base64
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from stack.processes import bound_command

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
STARTS_WITHIN_SECONDS = 60.0


def find_chromium() -> str | None:
    """The browser of this machine, if it has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab. `complaints` are what the browser objected to: scripts that failed, content that a policy blocked."""

    def __init__(self, socket: ClientConnection) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._number = 0

    async def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        for domain in ("Page", "Runtime", "Log"):
            await self._call(f"{domain}.enable")
        await self._call("Page.navigate", url=url)
        await self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def show_as(self, width: int, height: int, *, dark: bool) -> None:
        """The size of the window, in CSS pixels, and what the reader prefers."""
        await self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._call("Emulation.setEmulatedMedia", features=[scheme])

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def wait_for(self, expression: str, *, within: float = 60.0) -> None:
        """Return once the expression is true."""
        async with asyncio.timeout(within):
            while not await self.evaluate(expression):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def renewed(self) -> None:
        """Have the status page renewed, as for who comes back to it; return once it shows a later moment."""
        moment = await self.evaluate("document.querySelector('header time').dateTime")
        await self.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await self.wait_for(f"document.querySelector('header time').dateTime > {json.dumps(moment)}")

    async def type(self, text: str) -> None:
        """Into what has the focus."""
        await self._call("Input.insertText", text=text)

    async def screenshot(self, *, tallest: float) -> bytes:
        """The page as PNG, from its top to its end or as far as it may be tall."""
        width, height = await self.evaluate(
            "[document.documentElement.clientWidth, document.documentElement.scrollHeight]"
        )
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, tallest), "scale": 1}
        answer = await self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(answer["data"])

    async def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        await self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        match event["method"]:
            case "Log.entryAdded" if event["params"]["entry"]["level"] == "error":
                self.complaints.append(event["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(event["params"]["exceptionDetails"]))


@contextmanager
def running(chromium: str) -> Iterator[str]:
    """A browser of our own, and the address where it can be asked for tabs; it is gone at the end of the block, and if
    we are killed.
    """
    with tempfile.TemporaryDirectory(prefix="xnovu-chromium-", ignore_cleanup_errors=True) as profile:
        command = [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        process = subprocess.Popen(
            bound_command(command, signal.SIGKILL), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield _address(Path(profile), process)
        finally:
            process.kill()
            process.wait()


@asynccontextmanager
async def tab(address: str) -> AsyncIterator[Page]:
    """An empty tab of the browser there, closed at the end of the block."""
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        opened = (await http.put("/json/new?about:blank")).raise_for_status().json()
        try:
            async with connect(opened["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
                yield Page(socket)
        finally:
            await http.get(f"/json/close/{opened['id']}")


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Chromium writes its port into its profile."""
    port_file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while not (port_file.exists() and (lines := port_file.read_text().splitlines())):
        assert process.poll() is None, f"Chromium ended with code {process.returncode}"
        assert time.monotonic() < deadline, f"Chromium has not started within {STARTS_WITHIN_SECONDS:g} s"
        time.sleep(0.05)
    return f"http://127.0.0.1:{lines[0]}"
