"""The ASGI application under /rest/v1: one request, one transaction, one answer."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stack.edge.authentication import refuse_api_key
from stack.edge.rest.actions import act
from stack.edge.rest.asked import Asked, understand
from stack.edge.rest.database import Database
from stack.edge.rest.errors import RestError

# Refusals that a migration applied after the catalogue was read may have made untrue.
_MAYBE_STALE = frozenset(
    {
        "PGRST200",
        "PGRST201",
        "PGRST202",
        "PGRST203",
        "PGRST204",
        "PGRST205",
        "42703",
        "42883",
        "42P01",
        "42P10",
        "42804",
    }
)


class RestApplication:
    """Answers what PostgREST would answer, from `database`, to callers whose tokens are signed with `secret`."""

    def __init__(self, database: Database, secret: str) -> None:
        self._database = database
        self._secret = secret
        self.requests: Counter[str] = Counter()
        """Requests answered so far, by path below /rest/v1."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.requests[request.url.path.removeprefix(scope["root_path"])] += 1
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        refusal = refuse_api_key(request.headers.get("apikey"), self._secret)
        if refusal is not None:
            return refusal
        try:
            asked = await understand(request, self._secret, self._database.exposed_schemas)
            return await self._act(asked)
        except RestError as error:
            return error.response(with_body=request.method != "HEAD")

    async def _act(self, asked: Asked) -> Response:
        """Act by the catalogue at hand; when that may be out of date, read it anew and act once more."""
        catalogue = await self._database.catalogue()
        try:
            return await act(asked, catalogue, self._database)
        except RestError as error:
            if error.code not in _MAYBE_STALE:
                raise
            reloaded = await self._database.reload_catalogue(catalogue)
            if reloaded == catalogue:
                raise
            return await act(asked, reloaded, self._database)
