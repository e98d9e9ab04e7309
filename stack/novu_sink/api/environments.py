"""Novu's environments, and the integrations of the one that asks."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account
from stack.novu_sink.api.answers import data
from stack.novu_sink.api.gate import Asked, Gate


class EnvironmentEndpoints:
    """Answers hold keys, as Novu's do: who shows them must not print those."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route("/v1/environments", gate.to(self.list)),
            Route("/v1/environments/me", gate.to(self.me)),
            Route("/v1/integrations", gate.to(self.integrations)),
            Route("/v1/integrations/active", gate.to(self.active_integrations)),
        ]

    async def list(self, _: Asked) -> Response:
        """All of the organisation's, whichever key asks."""
        return data([one.as_json(self._account.organisation_id) for one in self._account.environments])

    async def me(self, asked: Asked) -> Response:
        """The key's own; in 2024 without the keys."""
        shown = asked.environment.as_json(self._account.organisation_id)
        if self._account.settings.generation == "2024":
            del shown["apiKeys"]
        return data(shown)

    async def integrations(self, asked: Asked) -> Response:
        return data(asked.environment.integrations.all())

    async def active_integrations(self, asked: Asked) -> Response:
        return data(asked.environment.integrations.active())
