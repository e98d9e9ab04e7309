"""A copy of infra/terraform to run terraform in: nothing is left in the tree, and no state is anybody's."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.infra.terraform.providers import CACHE, Providers, alone
from tests.infra.terraform.tree import TERRAFORM

IMAGE = "europe-west3-docker.pkg.dev/my-project/xnovu/xnovu@sha256:" + "0123456789abcdef" * 4
_SECONDS = 220
_NOTHING: Mapping[str, str] = MappingProxyType({})
SETTINGS: Mapping[str, str] = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "TF_VAR_wait_seconds": "0"}
_LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'


class TerraformFailed(AssertionError):
    """A command of terraform's ended with an error; the text is what it said."""


@dataclass
class Workspace:
    """The copy, and which of its folders are initialised."""

    folder: Path
    providers: Providers
    _initialised: set[str] = field(default_factory=set)

    @classmethod
    def copy_to(cls, folder: Path, providers: Providers) -> "Workspace":
        """Copy the tree there. Locks name the real providers, so they stay away from the stand-in."""
        unwanted = [".terraform", "*.tfstate*", *([".terraform.lock.hcl"] if providers.is_stand_in else [])]
        shutil.copytree(TERRAFORM, folder, ignore=shutil.ignore_patterns(*unwanted), dirs_exist_ok=True)
        (folder / "xnovu_app" / "backend_override.tf").write_text(_LOCAL_STATE)
        cloudbuild = folder.parent / "cloudbuild"  # bootstrap reads the steps of apply.yaml
        if not cloudbuild.exists():
            shutil.copytree(TERRAFORM.parent / "cloudbuild", cloudbuild)
        return cls(folder, providers)

    def copied_to(self, folder: Path) -> "Workspace":
        """The same once more, with all that was initialised and applied."""
        shutil.copytree(self.folder, folder, symlinks=True)
        shutil.copytree(self.folder.parent / "cloudbuild", folder.parent / "cloudbuild", dirs_exist_ok=True)
        return Workspace(folder, self.providers, set(self._initialised))

    @property
    def world(self) -> Path:
        """What there is "at Google" (google_refuses.py)."""
        return self.folder / "world.json"

    def run(
        self, where: str, *arguments: str, allowed: Sequence[int] = (0,), environment: Mapping[str, str] = _NOTHING
    ) -> tuple[int, str]:
        """One command of terraform's in a folder, as exit code and what it said.

        Raises:
            TerraformFailed: its exit code is none of those allowed.
        """
        # `terraform test` cleans up at once: nothing of an earlier run is at Google, and no hours pass.
        world = {} if arguments[0] == "test" else {"STAND_IN_WORLD": str(self.world)}
        result = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder / where,
            env={**self.providers.environment, **SETTINGS, **world, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
        )
        if result.returncode not in allowed:
            command = f"terraform {' '.join(arguments)} in {where}"
            raise TerraformFailed(f"{command} ended with {result.returncode}:\n{result.stdout}")
        return result.returncode, result.stdout

    def initialise(self, where: str) -> None:
        """`terraform init`, once."""
        if where not in self._initialised:
            with alone(CACHE.with_suffix(".lock")):  # a cache of plugins is for one at a time
                self.run(where, "init", "-no-color")
            self._initialised.add(where)

    def state(self, where: str) -> dict[str, Any]:
        """The state as terraform keeps it."""
        state: dict[str, Any] = json.loads((self.folder / where / "terraform.tfstate").read_text())
        return state

    def replace_state(self, where: str, state: dict[str, Any]) -> None:
        """As if a refresh had seen this."""
        (self.folder / where / "terraform.tfstate").write_text(json.dumps(state))


@dataclass(frozen=True, slots=True)
class Deployment:
    """One root with the values of an example, applied with the stand-in: of an environment, or of bootstrap."""

    workspace: Workspace
    environment: str

    @property
    def where(self) -> str:
        """The root's folder."""
        return "bootstrap" if self.environment == "bootstrap" else "xnovu_app"

    def plan(self, *more: str, environment: Mapping[str, str] = _NOTHING) -> str:
        """Whether there is anything to do: `empty` or `changes`. An error raises."""
        code, _ = self._run("plan", "-detailed-exitcode", *more, allowed=(0, 2), environment=environment)
        return {0: "empty", 2: "changes"}[code]

    def apply(
        self, *more: str, allowed: Sequence[int] = (0,), environment: Mapping[str, str] = _NOTHING
    ) -> tuple[int, str]:
        """Plan, save, and apply what was saved, as Cloud Build does; its exit code and what it says."""
        self._run("plan", "-out=saved.tfplan", *more, environment=environment)
        return self.workspace.run(
            self.where, "apply", "-no-color", "saved.tfplan", allowed=allowed, environment=environment
        )

    def refused(self, *more: str) -> str:
        """What is said to a plan that is refused."""
        return self._run("plan", *more, allowed=(1,))[1]

    def destroy(self, *more: str, allowed: Sequence[int] = (0,), environment: Mapping[str, str] = _NOTHING) -> str:
        """What terraform says to it."""
        return self._run("destroy", "-auto-approve", *more, allowed=allowed, environment=environment)[1]

    def resources(self) -> dict[str, dict[str, Any]]:
        """What there is, by address without keys of instances."""
        return {
            ".".join(part for part in (resource.get("module"), resource["type"], resource["name"]) if part): resource
            for resource in self.workspace.state(self.where)["resources"]
            if resource["mode"] == "managed" and resource["instances"]
        }

    def values(self) -> dict[str, Any]:
        """What there is, as `terraform show -json` tells it."""
        said = self.workspace.run(self.where, "show", "-json")[1]
        found: dict[str, Any] = json.loads(said)["values"]
        return found

    def _run(
        self, command: str, *more: str, allowed: Sequence[int] = (0,), environment: Mapping[str, str] = _NOTHING
    ) -> tuple[int, str]:
        self.workspace.initialise(self.where)
        given = (
            ["-var-file=example.tfvars"]
            if self.environment == "bootstrap"
            else [f"-var-file=../environments/{self.environment}/example.tfvars", f"-var=image={IMAGE}"]
        )
        return self.workspace.run(
            self.where, command, "-no-color", *given, *more, allowed=allowed, environment=environment
        )
