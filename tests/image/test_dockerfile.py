"""The Dockerfile as it is written: what a linter says, and what it must name."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.image.ingredients import PROJECT

DOCKERFILE = PROJECT / "Dockerfile"
_HADOLINT = Path(sys.executable).with_name("hadolint")


def hadolint(text: str) -> tuple[int, str]:
    done = subprocess.run([_HADOLINT, "-"], input=text, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_linter_finds_nothing() -> None:
    assert hadolint(DOCKERFILE.read_text()) == (0, "")


def test_the_linter_would_find_what_is_wrong() -> None:
    code, said = hadolint(DOCKERFILE.read_text().replace('ENTRYPOINT ["xnovu"]', "ENTRYPOINT xnovu"))

    assert code != 0
    assert "DL3025" in said


def test_both_stages_stand_on_one_base_that_is_pinned_by_its_digest() -> None:
    text = DOCKERFILE.read_text()

    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE_IMAGE}", "${BASE_IMAGE}"]
    assert re.search(r"^ARG BASE_IMAGE=python:3\.11-\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)


def test_the_base_is_the_python_that_the_requirements_are_compiled_for() -> None:
    [version] = re.findall(r"^ARG BASE_IMAGE=python:(\d+\.\d+)-", DOCKERFILE.read_text(), re.MULTILINE)

    assert set(re.findall(r"--python-version (\S+)", (PROJECT / "Makefile").read_text())) == {version}


def test_it_says_which_version_of_xnovu_it_is_of() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    assert re.findall(r"^ARG VERSION=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE) == [project["version"]]


def test_no_package_is_installed_without_its_hash_but_ours() -> None:
    installs = re.findall(r"-m pip --python \S+ install (.*?)(?: \\|$)", DOCKERFILE.read_text(), re.MULTILINE)

    assert len(installs) == 3
    assert [install for install in installs if "--require-hashes" not in install] == [
        "--no-compile --no-deps /dist/*.whl"
    ]


def test_what_is_not_copied_by_name_stays_out_of_the_build() -> None:
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")]

    assert next(line for line in lines if not line.startswith("#")) == "*"
    assert [path for path in allowed if not (PROJECT / path).exists()] == []
    assert not {"stack", "tests", "infra", "docs"} & set(allowed)
