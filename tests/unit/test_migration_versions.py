"""Supabase notes applied migrations by version: two files of one version stop every deployment."""

from collections import Counter
from pathlib import Path

MIGRATIONS = Path(__file__).parents[2] / "infra" / "supabase" / "migrations"


def test_each_migration_has_a_version_of_its_own() -> None:
    versions = Counter(file.name.partition("_")[0] for file in MIGRATIONS.glob("*.sql"))

    assert len(versions) > 50
    assert [version for version, count in versions.items() if count > 1 or len(version) != 14] == []
