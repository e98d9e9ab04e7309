"""What the image is built of where no registry of images can be reached: a base like the real one, and the wheels.

Both are made once, under `build/image`, by names that change with what they are made from.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_MADE = PROJECT / "build" / "image"

TOOLS = ("buildah", "mmdebstrap", "runc")

_MAKE_BASE = (
    *("mmdebstrap", "--quiet", "--variant=essential", "--include=python3,python3-pip,ca-certificates"),
    *(f"--dpkgopt=path-exclude=/usr/share/{left_out}/*" for left_out in ("doc", "man", "locale")),
    *("--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Retries 3", "bookworm"),
)
"""Debian's own Python 3.11 stands in for the official image's: the same Debian, the same C library, the same pip."""

_LOCKED = ("runtime.txt", "build.txt")


def missing() -> str | None:
    """Why no image can be built and run here, if so."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "containers are built and run here by root on Linux only"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(absent)} (Debian's packages of these names)" if absent else None


def base() -> Path:
    """The base's root file system, a tar archive."""
    file = _MADE / f"base-{_digest(*_MAKE_BASE)}.tar"
    if not file.exists():
        _MADE.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}.tar")
        _run(*_MAKE_BASE, str(unfinished))
        unfinished.rename(file)
    return file


def wheels() -> Path:
    """A directory with every wheel that the requirements lock, for the base's Python."""
    locked = [PROJECT / "requirements" / name for name in _LOCKED]
    directory = _MADE / f"wheels-{_digest(*(file.read_text() for file in locked))}"
    if not directory.exists():
        _MADE.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=_MADE))
        for file in locked:
            _run(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--python-version=3.11"),
                *("--require-hashes", "--no-deps", "--dest", str(unfinished), "--requirement", str(file)),
            )
        unfinished.rename(directory)
    return directory


def sources(directory: Path) -> Path:
    """A copy of what the Dockerfile may copy, and of itself: the work tree may change while it is built."""
    copy = directory / "sources"
    for name in ("cli", "functions", "listener", "requirements", "shared", "stack", "tests", "worker"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("*.png", "__pycache__"))
    for name in (".dockerignore", "Dockerfile", "LICENSE", "Makefile", "README.md", "pyproject.toml"):
        shutil.copy2(PROJECT / name, copy / name)
    return copy


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{command[0]}:\n{done.stdout[-4000:]}"
