"""Our workflow rows, and what is noted of them at Novu: a method, an SQL function (docs/database_functions.md)."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.notification.models import Channel, WorkflowType
from shared.supabase.decoding import Unreadable, read_label, read_labels
from shared.supabase.sql_function import call_function

PAGE_ROWS = 500
NOTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Noted:
    """What a workflow is at Novu now: what was asked of it, when Novu says that it changed, and its channels.

    Where both the wish and Novu's `updatedAt` are still the noted ones, nothing needs to be read.
    """

    fingerprint: str
    novu_updated_at: str
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """An active workflow row; `flaw` says what of it cannot be read."""

    id: int
    enterprise_id: str
    name: str
    key: str
    type: WorkflowType
    default_channels: tuple[Channel, ...]
    template_channels: tuple[Channel, ...]
    noted: Noted | None = None
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows: of these enterprises, or of all (None); the STATIC ones too, or not."""

    enterprise_ids: tuple[str, ...] | None = None
    static: bool = False


class WorkflowRows:
    """Every method raises StoreUnavailable."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def read(self, environment_id: str, scope: Scope) -> AsyncIterator[WorkflowRow]:
        """By id, a page at a time, with what is noted for this environment of Novu's."""
        after_id = 0
        while True:
            page = await call_function(
                self._client,
                "novu_workflow_rows",
                p_environment_id=environment_id,
                p_enterprise_ids=None if scope.enterprise_ids is None else list(scope.enterprise_ids),
                p_static=scope.static,
                p_after_id=after_id,
                p_limit=PAGE_ROWS,
            )
            for row in page:
                yield read_row(row)
            if len(page) < PAGE_ROWS:
                return
            after_id = page[-1]["id"]

    async def note(self, environment_id: str, noted: Mapping[str, Noted]) -> None:
        """By workflow key; repeating it is harmless."""
        entries = [
            {
                "workflow_key": key,
                "fingerprint": one.fingerprint,
                "novu_updated_at": one.novu_updated_at,
                "channels": [channel.value for channel in one.channels],
            }
            for key, one in noted.items()
        ]
        for start in range(0, len(entries), NOTED_AT_ONCE):
            await call_function(
                self._client,
                "note_novu_workflows",
                p_environment_id=environment_id,
                p_workflows=entries[start : start + NOTED_AT_ONCE],
            )

    async def left(self, environment_id: str) -> Sequence[str]:
        """Keys that were noted for this environment and belong to no active row any more."""
        return list(await call_function(self._client, "left_novu_workflows", p_environment_id=environment_id))

    async def forget(self, environment_id: str, keys: Collection[str]) -> None:
        """Nothing is noted of these any more."""
        if keys:
            await call_function(
                self._client,
                "forget_novu_workflows",
                p_environment_id=environment_id,
                p_workflow_keys=sorted(keys),
            )


def read_row(row: Mapping[str, Any]) -> WorkflowRow:
    """One row of `novu_workflow_rows`; nothing that it holds makes this raise."""
    flaw = None
    kind = WorkflowType.DYNAMIC
    default_channels: tuple[Channel, ...] = ()
    try:
        kind = read_label("workflow_type", row["workflow_type"], WorkflowType)
        default_channels = read_labels("default_channels", row["default_channels"], Channel)
    except Unreadable as unreadable:
        flaw = str(unreadable)
    noted = row["applied"]
    return WorkflowRow(
        id=row["id"],
        enterprise_id=str(row["enterprise_id"]),
        name=row["name"],
        key=row["workflow_key"],
        type=kind,
        default_channels=default_channels,
        template_channels=tuple(Channel(name) for name in row["template_channels"]),
        noted=Noted(noted["fingerprint"], noted["novu_updated_at"]) if noted else None,
        flaw=flaw,
    )
