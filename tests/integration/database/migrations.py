"""Applies infra/supabase/migrations as the Supabase CLI does: each file is one transaction, in order of name."""

from pathlib import Path

from tests.integration.database.project import Connection

MIGRATIONS = Path(__file__).parents[3] / "infra" / "supabase" / "migrations"


async def apply_migrations(connection: Connection) -> None:
    """Apply every file to the connection's database."""
    for path in sorted(MIGRATIONS.glob("*.sql")):
        async with connection.transaction():
            await connection.execute(path.read_text(encoding="utf-8"))
