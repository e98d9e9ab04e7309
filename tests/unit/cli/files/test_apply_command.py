"""`xnovu apply`: enterprise by enterprise, and what ends it."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import cli.apply
from cli.__main__ import app
from cli.files.rows import Kept, Surroundings, Written
from shared.ports import StoreUnavailable
from tests.unit.cli.files.renderer import renderer

TEMPLATE = "template_key: {name}\nchannel_type: SMS\nbody_file: body\n"


class _Rows:
    """A database without rows, in which some enterprises cannot be written."""

    def __init__(self, failures: Mapping[str, Written | StoreUnavailable]) -> None:
        self.written: list[str] = []
        self._failures = failures

    async def seen(self, _: str) -> str:
        return "seen"

    async def read(self, _: Sequence[str]) -> dict[str, Kept]:
        return {}

    async def time_zones(self, *_: object) -> dict[str, str]:
        return {"acme": "Asia/Tokyo"}

    async def surroundings(self, *_: object) -> Surroundings:
        return Surroundings()

    async def write(self, enterprise_id: str, seen: str, changes: Sequence[Mapping[str, Any]]) -> Written:
        assert (seen, len(changes)) == ("seen", 1)
        failure = self._failures.get(enterprise_id)
        if isinstance(failure, StoreUnavailable):
            raise failure
        if failure is None:
            self.written.append(enterprise_id)
        return failure or Written(ids=(1,))


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> _Rows:
    rows = _Rows({"b": Written(refused_at=0, sqlstate="23514"), "c": StoreUnavailable("apply_files: ConnectError")})

    @asynccontextmanager
    async def open_rows() -> AsyncIterator[_Rows]:
        yield rows

    monkeypatch.setattr(cli.apply, "file_rows", open_rows)
    monkeypatch.setattr(cli.apply, "render_pool", renderer)
    return rows


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in "abcd":
        folder = tmp_path / name / "templates"
        folder.mkdir(parents=True)
        (folder / "it.yaml").write_text(TEMPLATE.format(name=name))
        (folder / "body").write_text("Hi")
    return tmp_path


def apply(root: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["apply", "-f", str(root), *options])


def test_an_enterprise_that_cannot_be_written_holds_up_no_other(rows: _Rows, root: Path) -> None:
    answer = apply(root, "--yes", "--json")

    told = json.loads(answer.stdout)
    assert answer.exit_code == 1
    assert rows.written == told["applied"] == ["a", "d"]
    assert told["failed"] == [
        {
            "enterprise_id": "b",
            "message": "nothing was written: template b: a check of the project refuses it (23514).",
        },
        {"enterprise_id": "c", "message": "nobody knows whether it was written; plan again: apply_files: ConnectError"},
    ]
    assert "Enterprise b: nothing was written: template b: " in answer.stderr
    assert "Enterprise c: nobody knows whether it was written" in answer.stderr


def test_only_what_was_asked_for_is_looked_at_and_its_neighbours_faults_are_theirs(rows: _Rows, root: Path) -> None:
    (root / "b" / "templates" / "it.yaml").write_text("nonsense: 1\n")

    alone = apply(root, "--enterprise", "a", "--yes")
    together = apply(root, "--yes")

    assert (alone.exit_code, rows.written) == (0, ["a"])
    assert together.exit_code == 1
    assert "b/templates/it.yaml:1: nonsense: is not known; it is one of" in together.stderr
    assert rows.written == ["a"]


def test_nobody_who_can_be_asked_is_no_consent(rows: _Rows, root: Path) -> None:
    people, program = apply(root), apply(root, "--json")

    assert (people.exit_code, program.exit_code, rows.written) == (1, 1, [])
    assert "--yes does it" in json.loads(program.stdout)["error"]["hint"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--enterprise", "aa"), "did you mean a?"),
        (("-f", "/nowhere"), "/nowhere: No such file"),
        (("-f", __file__), "Not a directory"),
    ],
)
def test_a_directory_or_enterprise_that_is_not_there_is_an_error(
    rows: _Rows, root: Path, options: tuple[str, ...], told: str
) -> None:
    answer = apply(root, *options)

    assert answer.exit_code == 1
    assert told in answer.stderr
