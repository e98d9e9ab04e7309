"""A database's workflow rows in memory, for what keeps Novu's workflows; the real one is tested with the SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace

from cli.novu.rows import Noted, Scope, WorkflowRow, WorkflowRows
from shared.notification.models import Channel, WorkflowType


class KeptRows(WorkflowRows):
    """Remembers what was noted, by environment and key."""

    def __init__(self, *rows: WorkflowRow) -> None:
        self.rows = list(rows)
        self.noted: dict[str, dict[str, Noted]] = {}

    async def read(self, environment_id: str, scope: Scope) -> AsyncIterator[WorkflowRow]:
        for row in self.rows:
            wanted = scope.enterprise_ids is None or row.enterprise_id in scope.enterprise_ids
            if wanted and (scope.static or row.type is WorkflowType.DYNAMIC):
                yield replace(row, noted=self.noted.get(environment_id, {}).get(row.key))

    async def note(self, environment_id: str, noted: Mapping[str, Noted]) -> None:
        self.noted.setdefault(environment_id, {}).update(noted)

    async def left(self, environment_id: str) -> list[str]:
        return sorted(set(self.noted.get(environment_id, {})) - {row.key for row in self.rows})

    async def forget(self, environment_id: str, keys: Collection[str]) -> None:
        for key in keys:
            self.noted.get(environment_id, {}).pop(key, None)


def a_row(key: str = "acme-order", *channels: str, static: bool = False, enterprise: str = "acme") -> WorkflowRow:
    """A row with templates for these channels, or for email."""
    return WorkflowRow(
        id=1,
        enterprise_id=enterprise,
        name=f"Name of {key}",
        key=key,
        type=WorkflowType.STATIC if static else WorkflowType.DYNAMIC,
        default_channels=(),
        template_channels=tuple(Channel(name) for name in channels or ("EMAIL",)),
    )
