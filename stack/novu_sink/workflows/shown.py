"""A workflow as Novu shows it: with status, issues and slugs, which are computed whenever somebody looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stack.novu_sink.account import Environment
from stack.novu_sink.api.plans import Plan
from stack.novu_sink.workflows.issues import find_issues


def shown(workflow: Mapping[str, Any], environment: Environment, plan: Plan) -> dict[str, Any]:
    """The whole document."""
    steps = [_step(step, workflow, environment, plan) for step in workflow["steps"]]
    has_issues = any(step["issues"] for step in steps)
    status = ("ERROR" if has_issues else "ACTIVE") if workflow["active"] else "INACTIVE"
    return {
        **workflow,
        "slug": f"{workflow['workflowId']}_wf_{workflow['_id']}",
        "steps": steps,
        "status": status,
        "issues": {},
    }


def _step(step: Mapping[str, Any], workflow: Mapping[str, Any], environment: Environment, plan: Plan) -> dict[str, Any]:
    issues = find_issues(step, environment.integrations, plan.longest_delay_days, workflow.get("payloadSchema"))
    return {
        **step,
        "slug": f"{step['stepId']}_st_{step['_id']}",
        "workflowId": workflow["workflowId"],
        "workflowDatabaseId": workflow["_id"],
        "controls": {"values": step["controlValues"]},
        "issues": issues,
    }
