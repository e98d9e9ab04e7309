"""By which names the health server may be called.

It asks nobody who they are. A page from elsewhere that a browser of this machine shows could have its own name point
here and read every answer (DNS rebinding); it cannot make that name be an address, or ours.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MISDIRECTED_REQUEST = 421

_REFUSAL = "this server is not called so: DAEMON_HEALTH_ALLOWED_HOSTS may name it (docs/health.md)\n"


class OnlyOurHosts:
    """Answers 421 to a `Host` that is neither an address, nor localhost, nor one of `names`."""

    def __init__(self, application: ASGIApp, names: Collection[str]) -> None:
        self._application = application
        self._names = frozenset(name.lower() for name in ("localhost", *names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # Whoever sends none speaks HTTP/1.0, which no browser does.
        hosts = Headers(scope=scope).getlist("host")
        if all(self._is_ours(host) for host in hosts):
            await self._application(scope, receive, send)
        else:
            await PlainTextResponse(_REFUSAL, MISDIRECTED_REQUEST)(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        try:
            url = urlsplit(f"//{host}")
            name, _ = url.hostname or "", url.port  # which is looked at when it is asked for
        except ValueError:
            return False
        return name.removesuffix(".") in self._names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
