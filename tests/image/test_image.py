"""The image as it is built: what is in it and what is not, who runs it, and that it can be built again."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.conftest import Built
from tests.image.container import Container

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MOST_BYTES = 220 * 2**20
"""Of what is added to the base, not compressed."""


def test_it_holds_what_is_deployed_and_nothing_else_of_ours(built: Built) -> None:
    [packages] = built.root.glob("opt/xnovu/lib/python3.*/site-packages")
    ours = {"cli", "functions", "listener", "shared", "stack", "tests", "worker"}

    assert {entry.name for entry in packages.iterdir()} & ours == ours - {"stack", "tests"}
    assert not (packages / "pytest").exists()
    assert not (packages / "pip").exists()
    assert not (built.root / "src").exists()
    assert not (built.root / "wheels").exists()


def test_it_is_small(built: Built, record_property: Callable[[str, object], None]) -> None:
    added_bytes = sum(file.lstat().st_size for file in (built.root / "opt").rglob("*") if not file.is_dir())

    record_property("MiB that the image adds to its base", added_bytes >> 20)
    assert 0 < added_bytes < MOST_BYTES


def test_it_runs_as_nobody_and_says_what_it_is(built: Built) -> None:
    configuration = built.image.configuration

    assert configuration["User"] == "65532:65532"
    assert configuration["Entrypoint"] == ["xnovu"]
    assert "Cmd" not in configuration
    labels = configuration["Labels"]
    assert labels["org.opencontainers.image.title"] == "xnovu"
    assert labels["org.opencontainers.image.revision"] == "tested"
    assert set(configuration["ExposedPorts"]) == {"8080/tcp"}


def test_nobody_may_change_what_it_runs(built: Built) -> None:
    writable = [
        path
        for path in (built.root / "opt" / "xnovu").rglob("*")
        if not path.is_symlink() and (path.stat().st_uid == 65532 or path.stat().st_mode & 0o022)
    ]

    assert writable == []


def test_every_module_is_compiled(built: Built) -> None:
    ours = [*built.root.glob("opt/xnovu/lib/python3.*/site-packages/worker/**/*.py")]
    compiled = {file.name.partition(".")[0] for path in ours for file in path.parent.glob("__pycache__/*.pyc")}

    assert ours != []
    assert {path.stem for path in ours} <= compiled


@pytest.mark.whole
def test_the_same_sources_make_the_same_layers(built: Built, tmp_path: Path) -> None:
    copy = shutil.copytree(built.sources, tmp_path / "copied later", copy_function=shutil.copy)

    again = built.builder.build(copy, "localhost/xnovu:again")

    assert again.layers == built.image.layers


def test_a_wheel_that_is_not_the_locked_one_is_refused(built: Built, tmp_path: Path) -> None:
    sources = shutil.copytree(built.sources, tmp_path / "tampered with")
    locked = sources / "requirements" / "runtime.txt"
    locked.write_text(re.sub(r"sha256:[0-9a-f]{4}", "sha256:0000", locked.read_text()))

    with pytest.raises(AssertionError, match="THESE PACKAGES DO NOT MATCH THE HASHES"):
        built.builder.build(sources, "localhost/xnovu:refused")


@pytest.mark.parametrize("name", ["listener", "worker", "function"])
async def test_a_wrong_setting_stops_each_role_at_once_by_name(built: Built, tmp_path: Path, name: str) -> None:
    with Container(built.image, built.root, tmp_path / name, (name,), {"TEMPORAL_ADDRESS": "nowhere"}) as container:
        code = await container.exit_code()

    assert code == 2
    assert "settings are wrong" in container.errors()
    assert ("FUNCTION_TARGET: " if name == "function" else "TEMPORAL_ADDRESS: ") in container.errors()
    assert "Traceback" not in container.errors()


async def test_commands_of_the_local_stack_say_that_they_are_not_there(built: Built, tmp_path: Path) -> None:
    with Container(built.image, built.root, tmp_path / "demo", ("demo",), {}) as container:
        code = await container.exit_code()

    assert code == 1
    assert "demo needs the local stack" in container.errors()
