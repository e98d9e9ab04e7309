"""A page in a headless Chromium, driven over its DevTools protocol: what a reader would see and do."""

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
STARTS_WITHIN_SECONDS = 20.0


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

    async def wait_for(self, expression: str, *, within: float = 15.0) -> None:
        """Return once the expression is true."""
        async with asyncio.timeout(within):
            while not await self.evaluate(expression):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def screenshot(self) -> bytes:
        """The whole page as PNG, however long."""
        answer = await self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
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


@asynccontextmanager
async def browsing(chromium: str) -> AsyncIterator[Page]:
    """A browser of the test's own, with one empty tab; it is gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="xnovu-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with connect(await _tab_address(Path(profile)), max_size=None, proxy=None) as socket:
                yield Page(socket)
        finally:
            process.kill()
            await process.wait()


async def _tab_address(profile: Path) -> str:
    """Where the tab listens: Chromium writes its port into its profile."""
    port_file = profile / "DevToolsActivePort"
    async with asyncio.timeout(STARTS_WITHIN_SECONDS), httpx.AsyncClient(trust_env=False) as http:
        while not (port_file.exists() and (lines := port_file.read_text().splitlines())):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while True:
            tabs = (await http.get(f"http://127.0.0.1:{lines[0]}/json/list")).json()
            if pages := [tab for tab in tabs if tab["type"] == "page"]:
                address: str = pages[0]["webSocketDebuggerUrl"]
                return address
            await asyncio.sleep(0.05)
