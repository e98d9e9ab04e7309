"""Faults on request: `POST /_faults/<name>` begins one, `GET /_faults` lists them, `DELETE /_faults` ends them all.

From this machine only, and without a key: they are for tests. A body is a JSON object, or empty where nothing is
required; unknown and wrong fields are refused with 422. `FaultActions` has the names and what each does,
`fault_orders` what may be said.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from stack.edge.realtime.change_slot import DATABASE_AWAY
from stack.edge.realtime.fault_actions import FaultActions
from stack.edge.realtime.service import RealtimeService

PATH = "/_faults"
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def fault_routes(service: RealtimeService) -> list[BaseRoute]:
    """The routes; `service` must be running when they are asked."""
    faults = _Faults(service)
    return [
        Route(PATH, faults.list_active, methods=["GET"]),
        Route(PATH, faults.end_all, methods=["DELETE"]),
        Route(f"{PATH}/{{name}}", faults.begin, methods=["POST"]),
        Route(f"{PATH}/{{name}}", faults.end, methods=["DELETE"]),
    ]


class _Faults:
    def __init__(self, service: RealtimeService) -> None:
        self._service = service
        self._actions = FaultActions(service)

    async def list_active(self, request: Request) -> Response:
        """What is in force, and the counts of the server."""
        return _only_from_here(request) or JSONResponse(self._state())

    async def end_all(self, request: Request) -> Response:
        """End what lasts: frozen sockets thaw, what was dropped or closed stays so."""
        refusal = _only_from_here(request)
        if refusal is None:
            self._actions.end_all()
        return refusal or JSONResponse(self._state())

    async def end(self, request: Request) -> Response:
        """End one kind of fault."""
        name = request.path_params["name"]
        refusal = _only_from_here(request)
        if refusal is None and not self._actions.end(name):
            refusal = _problem(404, f"no fault {name!r} is in force")
        return refusal or JSONResponse(self._state())

    async def begin(self, request: Request) -> Response:
        """Do what the name and the body say; `affected` tells to how many sockets or channels."""
        refusal = _only_from_here(request)
        if refusal is not None:
            return refusal
        name = request.path_params["name"]
        action = self._actions.by_name().get(name)
        if action is None:
            return _problem(404, f"there is no fault {name!r}", known=sorted(self._actions.by_name()))
        order_type, act = action
        try:
            order = order_type.model_validate_json(await request.body() or b"{}")
        except ValidationError as error:
            return _problem(422, "the body does not fit", errors=error.errors(include_url=False, include_context=False))
        try:
            affected = await act(order)
        except DATABASE_AWAY as error:
            return _problem(503, f"the database is away: {error!r}")
        return JSONResponse({"fault": name, "affected": affected})

    def _state(self) -> dict[str, Any]:
        hub = self._service.hub
        return {
            "active": self._actions.described(),
            "broadcasts_flow": hub.broadcasts_flow.is_set(),
            "counts": {
                "sockets": len(hub.sockets),
                "channels": len(hub.channels()),
                "subscriptions": len(hub.subscriptions()),
                **asdict(hub.counts),
            },
        }


def _only_from_here(request: Request) -> Response | None:
    if request.client is None or request.client.host not in _LOOPBACK:
        return _problem(403, "faults are taken from this machine only")
    return None


def _problem(status: int, detail: str, **more: object) -> Response:
    return JSONResponse({"error": detail, **more}, status)
