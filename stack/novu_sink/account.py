"""One organisation of Novu: its environments, and everything that each of them keeps."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from stack.novu_sink.activity.store import Activity
from stack.novu_sink.api.answers import new_id
from stack.novu_sink.api.plans import PLANS, Plan
from stack.novu_sink.control.settings import Settings
from stack.novu_sink.integrations import Integrations
from stack.novu_sink.subscribers.store import Subscribers
from stack.novu_sink.workflows.store import Workflows


@dataclass(eq=False)
class Environment:
    """Development or production: a key, and nothing shared with the others."""

    name: str
    kind: str
    api_key: str
    id: str = field(default_factory=new_id)
    identifier: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    parent_id: str | None = None

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As if it had just been made."""
        self.workflows = Workflows(self.id)
        self.subscribers = Subscribers()
        self.integrations = Integrations(self.id)
        self.activity = Activity()

    def become(self, environment_id: str, identifier: str) -> None:
        """Take over the ids of an earlier process, empty."""
        self.id, self.identifier = environment_id, identifier
        self.forget()

    def as_json(self, organisation_id: str) -> dict[str, Any]:
        """As `GET /v1/environments` shows it, key included."""
        return {
            "_id": self.id,
            "name": self.name,
            "identifier": self.identifier,
            "type": self.kind,
            "_organizationId": organisation_id,
            "_parentId": self.parent_id,
            "apiKeys": [{"key": self.api_key, "_userId": organisation_id}],
        }


class Account:
    """The organisation. `started_with` are the settings that a reset goes back to."""

    def __init__(self, secret_key: str, production_key: str, started_with: Settings | None = None) -> None:
        self.organisation_id = new_id()
        self._started_with = started_with or Settings()
        self.settings = self._started_with
        development = Environment("Development", "dev", secret_key)
        production = Environment("Production", "prod", production_key, parent_id=development.id)
        self.environments = [development, production]

    @property
    def plan(self) -> Plan:
        return PLANS[self.settings.plan]

    @property
    def most_workflows(self) -> int | None:
        """In one environment; None for no limit."""
        allowed = self.settings.workflows_allowed
        return self.plan.workflows if allowed is None else allowed

    @property
    def retention_seconds(self) -> float:
        """How long jobs and messages are kept."""
        hours = self.settings.activity.retention_hours
        return (self.plan.retention_hours if hours is None else hours) * 3600

    def reset_settings(self) -> None:
        self.settings = self._started_with

    def environment_of_key(self, key: str) -> Environment | None:
        for environment in self.environments:
            keys = self.settings.api_keys if environment is self.environments[0] else None
            if any(secrets.compare_digest(each.encode(), key.encode()) for each in keys or (environment.api_key,)):
                return environment
        return None

    def environment(self, id_or_name: str) -> Environment | None:
        return next((one for one in self.environments if id_or_name in (one.id, one.name, one.identifier)), None)

    def forget(self) -> None:
        """Empty every environment; names, ids and keys stay."""
        for environment in self.environments:
            environment.forget()
