"""What docs/database.md offers to enterprises that share an environment of Novu's: a constraint, as it is there."""

import re
from pathlib import Path

import asyncpg
import pytest

from tests.integration.database.project import OURS, THEIRS, Project, call, insert_notification, insert_workflow

DOCUMENT = Path(__file__).parents[3] / "docs" / "database.md"


@pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
async def test_the_database_refuses_recipients_of_another_enterprise(separate_project: Project) -> None:
    section = DOCUMENT.read_text().partition("## Recipients and overrides")[2]
    [statements] = re.findall(r"```sql\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    async with separate_project.connect("postgres") as owner:
        await owner.execute(statements)

    async with separate_project.connect() as connection:
        await insert_workflow(connection, workflow_key="greet")
        own = await insert_notification(connection, recipients=[f"{OURS}:ada", f"{OURS}:bob"])
        with pytest.raises(asyncpg.CheckViolationError):
            await insert_notification(connection, recipients=[f"{OURS}:ada", f"{THEIRS}:bob"])
        asked = {"p_enterprise_id": OURS, "p_workflow_key": "greet", "p_payload": {}}
        refused = await call(connection, "create_notification", **asked, p_recipients=[f"{THEIRS}:bob"])

    assert own > 0
    assert refused == {"refused": "refused_by_database"}
