"""`.ci/apt`: what another process holds is waited for; what is wrong is told at once."""

import subprocess
from pathlib import Path

import pytest

APT = Path(__file__).parents[2] / ".ci" / "apt"
HELD = [
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt-get)",
    "E: Unable to lock directory /var/lib/apt/lists/",
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
]
MISSING = "E: Unable to locate package blocker"


def run_apt(tmp_path: Path, *answers: str) -> tuple[int, str, list[str]]:
    """Exit code, what was said, and how apt-get was called; it fails with each answer in turn."""
    for place, answer in enumerate(answers):
        (tmp_path / f"{place}.answer").write_text(answer)
    apt_get = tmp_path / "apt-get"
    apt_get.write_text(
        f'#!/bin/sh\ncd {tmp_path}\nanswer=$(wc -l < calls).answer\necho "$@" >> calls\n'
        '[ ! -e "$answer" ] || { cat "$answer" >&2; exit 100; }\n'
    )
    apt_get.chmod(0o755)
    (tmp_path / "calls").touch()
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "APT_LOOKS_EVERY_SECONDS": "0"}
    ended = subprocess.run(
        [APT, "install", "-y", "chromium"], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    return ended.returncode, ended.stderr, (tmp_path / "calls").read_text().splitlines()


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    assert run_apt(tmp_path, *HELD) == (0, "", ["install -y chromium"] * 4)


@pytest.mark.parametrize("before", [[], HELD])
def test_anything_else_is_told(tmp_path: Path, before: list[str]) -> None:
    code, said, calls = run_apt(tmp_path, *before, MISSING)

    assert (code, said.strip()) == (1, MISSING)
    assert len(calls) == len(before) + 1
