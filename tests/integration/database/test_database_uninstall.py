"""docs/uninstall.md leaves nothing of ours in the database, and takes nothing else."""

import re
from pathlib import Path

from tests.integration.database.project import Project

DOCUMENT = Path(__file__).parents[3] / "docs" / "uninstall.md"

OURS = """
    select count(*) from (
        select pubname::text from pg_publication_tables where schemaname = 'notify'
        union all select nspname::text from pg_namespace where nspname = 'notify'
        union all select proname::text from pg_proc where prosrc like '%notify.%'
        union all select tgname::text from pg_trigger join pg_proc on pg_proc.oid = tgfoid where prosrc like '%notify.%'
    ) as ours
"""


async def test_what_is_typed_from_the_document_leaves_nothing_of_ours(separate_project: Project) -> None:
    statements = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    async with separate_project.connect("postgres") as connection:
        before = await connection.fetchval(OURS)

        await connection.execute("".join(statements))

        assert before > 0
        assert await connection.fetchval(OURS) == 0
        assert await connection.fetchval("select count(*) from pg_publication where pubname = 'supabase_realtime'") == 1
        assert await connection.fetchval("select count(*) from pg_extension where extname = 'ltree'") == 1
