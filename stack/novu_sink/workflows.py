"""The Novu workflows that the sink knows, and what state they are in."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class WorkflowState(StrEnum):
    """ACTIVE is processed, UNKNOWN is refused with workflow_not_found; for the others the value is Novu's answer."""

    ACTIVE = "active"
    UNKNOWN = "unknown"
    NOT_ACTIVE = "trigger_not_active"
    NO_STEPS = "no_workflow_steps_defined"
    NO_ACTIVE_STEPS = "no_workflow_active_steps_defined"
    NO_TENANT = "no_tenant_found"


class Workflows(BaseModel):
    """Every identifier is known and active, unless it is listed here with another state, or `unlisted` says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workflows: dict[str, WorkflowState] = {}
    unlisted: WorkflowState = WorkflowState.ACTIVE

    def state_of(self, name: str) -> WorkflowState:
        return self.workflows.get(name, self.unlisted)
