"""Workflow rows as the database hands them out: a test states only what matters to it."""

from typing import Any

from cli.novu.rows import WorkflowRow, read_row


def a_row(**columns: Any) -> WorkflowRow:
    """A DYNAMIC row of ours with an email template."""
    defaults: dict[str, Any] = {
        "id": 1,
        "enterprise_id": "acme",
        "name": "Acme's order",
        "workflow_key": "acme-order",
        "workflow_type": "DYNAMIC",
        "default_channels": None,
        "template_channels": ["EMAIL"],
        "applied": None,
    }
    return read_row({**defaults, **columns})
