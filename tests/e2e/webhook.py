"""The function `webhook` as its container runs it: with the database's key, its secrets and nothing else."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from stack.processes import ChildProcess, free_port

SECRET = "whsec_YSBzZWNyZXQgb2YgdHdlbnR5LWZvdXIgYg=="
FUNCTION = Path(__file__).parents[2] / "functions" / "main.py"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where it listens, and its process."""

    url: str
    process: ChildProcess

    @property
    def at_novu(self) -> dict[str, str]:
        """The sink's settings that have it told (stack/novu_sink/control/settings.py)."""
        return {"url": self.url, "secret": SECRET}


@asynccontextmanager
async def running_webhook(environment: Mapping[str, str], directory: Path) -> AsyncIterator[Webhook]:
    """Started and listening; stopped at the end. Of `environment` it gets what its container gets."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    function = ChildProcess("webhook", directory / "webhook.log")
    names = ("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")
    await function.start(
        [str(Path(sys.executable).with_name("functions-framework"))],
        {
            **{name: environment[name] for name in names},
            "NOVU_WEBHOOK_SECRETS": SECRET,
            "FUNCTION_SOURCE": str(FUNCTION),
            "FUNCTION_TARGET": "webhook",
            "HOST": "127.0.0.1",
            "PORT": str(port),
        },
    )
    try:
        async with httpx.AsyncClient(base_url=url) as client:

            async def listens() -> bool:
                try:
                    return (await client.get("/openapi.json")).status_code == 200
                except httpx.TransportError:
                    return False

            await function.wait_until_ready(listens, 120)
        yield Webhook(url, function)
    finally:
        await function.stop(within_seconds=10)
