"""`xnovu export`: where files go, whatever rows are called."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cli.export
from cli.__main__ import app
from cli.files.kinds import Entry, Kind
from cli.files.rows import Kept
from tests.unit.cli.files.columns import NIGHTLY


class _Rows:
    """A database in which each of these enterprises has a rule."""

    def __init__(self, *enterprise_ids: str) -> None:
        self._enterprise_ids = enterprise_ids

    async def read(self, _: Sequence[str] | None) -> dict[str, Kept]:
        return {one: Kept([Entry(Kind.RULE, NIGHTLY, id=1)]) for one in self._enterprise_ids}


def test_an_enterprise_whose_id_is_no_name_of_a_directory_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = ("", "..", ".git", "a/../../elsewhere", f"{tmp_path}/absolute", "a b")

    @asynccontextmanager
    async def open_rows() -> AsyncIterator[_Rows]:
        yield _Rows("acme", *odd)

    monkeypatch.setattr(cli.export, "file_rows", open_rows)

    answer = CliRunner().invoke(app, ["export", str(tmp_path / "notify"), "--json"])

    told = json.loads(answer.stdout)
    assert answer.exit_code == 0
    assert told["files"] == ["acme/rules/nightly.yaml"]
    assert told["left_out"] == [f"{one}: no directory can have this name" for one in odd]
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert written == [Path("notify/acme/rules/nightly.yaml")]
