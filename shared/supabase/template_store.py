"""A workflow and its templates for a preview: one call of an SQL function (docs/database_functions.md)."""

from collections.abc import Mapping
from dataclasses import dataclass

from postgrest import AsyncPostgrestClient

from shared.notification.models import NovuWorkflow, Template
from shared.notification.outcomes import Refusal
from shared.supabase.claimed_batch import read_templates, read_workflow
from shared.supabase.sql_function import call_function


@dataclass(frozen=True, slots=True)
class WorkflowTemplates:
    """An enterprise's workflow of a key, or why it cannot be read, and by key all that its templates may include.

    Where there is none, `workflow` is None and `known_keys` holds some of those that there are. `active`: published and
    not deactivated; others are not sent.
    """

    workflow: NovuWorkflow | Refusal | None
    active: bool
    templates: Mapping[str, Template]
    known_keys: tuple[str, ...] = ()


class SupabaseTemplateStore:
    """Reads, and writes nothing."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def read(self, enterprise_id: str, workflow_key: str) -> WorkflowTemplates:
        """What a delivery of the workflow would load. Raises StoreUnavailable."""
        answer = await call_function(
            self._client, "preview_templates", p_enterprise_id=enterprise_id, p_workflow_key=workflow_key
        )
        return WorkflowTemplates(
            workflow=None if answer["workflow"] is None else read_workflow(answer["workflow"]),
            active=bool(answer["active"]),
            templates=read_templates(answer["templates"]),
            known_keys=tuple(answer["workflow_keys"]),
        )
