"""Where the providers come from: the registry if it can be reached, else the stand-in beside the project."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.infra.terraform.tree import PROJECT, TERRAFORM

STAND_IN = PROJECT.parent / "shared" / "terraform-google"
INSTALLED = PROJECT / "build" / "terraform-google"
CACHE = PROJECT / "build" / "terraform-plugins"
_REGISTRY_SECONDS = 120
_INSTALL_SECONDS = 300


class ProvidersUnavailable(Exception):
    """Terraform, or a provider for it, cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Providers:
    """What terraform must find in its environment. The stand-in makes answers up: it applies without a cloud."""

    is_stand_in: bool
    environment: Mapping[str, str]


@cache
def find() -> Providers:
    """The providers to check with.

    Raises:
        ProvidersUnavailable: terraform is not installed, or there is neither a registry nor the stand-in.
    """
    if shutil.which("terraform") is None:
        raise ProvidersUnavailable("terraform is not installed")
    with alone(INSTALLED.with_suffix(".lock")):
        CACHE.mkdir(parents=True, exist_ok=True)
        real = {**os.environ, "TF_PLUGIN_CACHE_DIR": str(CACHE)}
        refusal = _try_registry(real)
        if refusal is None:
            return Providers(is_stand_in=False, environment=real)
        if not (STAND_IN / "install").exists():
            raise ProvidersUnavailable(
                f"no provider registry ({refusal}), and no stand-in in ../shared/terraform-google"
            )
        configuration = _teach(_install_stand_in())
        return Providers(is_stand_in=True, environment={**os.environ, "TF_CLI_CONFIG_FILE": str(configuration)})


def _try_registry(environment: Mapping[str, str]) -> str | None:
    """None if the providers that bootstrap/ wants came; else why not."""
    with TemporaryDirectory() as folder:
        shutil.copy(TERRAFORM / "bootstrap" / "versions.tf", folder)
        command = ["terraform", "init", "-backend=false", "-no-color", "-input=false"]
        try:
            result = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_REGISTRY_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"no answer in {_REGISTRY_SECONDS} s"
    return None if result.returncode == 0 else "out of reach"


def _install_stand_in() -> Path:
    """The stand-in's terraformrc, installed unless this very stand-in is already."""
    configuration = INSTALLED / "terraformrc"
    stamp = INSTALLED / "stamp"
    wanted = f"{INSTALLED} {_fingerprint(STAND_IN)}"
    if not (configuration.exists() and stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(INSTALLED, ignore_errors=True)
        command = [str(STAND_IN / "install"), str(INSTALLED)]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ProvidersUnavailable(f"the stand-in was not installed in {_INSTALL_SECONDS} s") from error
        if result.returncode != 0:
            raise ProvidersUnavailable(f"the stand-in could not be installed: {result.stderr.strip()[-300:]}")
        stamp.write_text(wanted)
    return configuration


def _teach(configuration: Path) -> Path:
    """A terraformrc whose providers refuse what Google does: the stand-in's, started with google_refuses.py."""
    taught = INSTALLED / "taught"
    for plugin in (configuration.parent / "mirror").rglob("terraform-provider-*"):
        launcher = taught / plugin.relative_to(configuration.parent)
        start, _, serve = plugin.read_text().partition("serve(")
        load = f"sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport google_refuses\ngoogle_refuses.install()\n"
        text = f"{start}{load}serve({serve}"
        launcher.parent.mkdir(parents=True, exist_ok=True)
        if not launcher.exists() or launcher.read_text() != text:
            launcher.write_text(text)
            launcher.chmod(0o755)
    found = taught / "terraformrc"
    found.write_text(configuration.read_text().replace(str(configuration.parent / "mirror"), str(taught / "mirror")))
    return found


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Nobody else is inside meanwhile, in whatever process."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
