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
from tests.infra.terraform.tree import ENVIRONMENTS, TERRAFORM

IMAGE = "europe-west3-docker.pkg.dev/my-project/xnovu/xnovu@sha256:" + "0123456789abcdef" * 4
_SECONDS = 220
_NOTHING: Mapping[str, str] = MappingProxyType({})
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
        for name in ENVIRONMENTS:
            (folder / "environments" / name / "backend_override.tf").write_text(_LOCAL_STATE)
        return cls(folder, providers)

    def run(
        self, where: str, *arguments: str, allowed: Sequence[int] = (0,), environment: Mapping[str, str] = _NOTHING
    ) -> tuple[int, str]:
        """One command of terraform's in a folder, as exit code and what it said.

        Raises:
            TerraformFailed: its exit code is none of those allowed.
        """
        result = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder / where,
            env={**self.providers.environment, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", **environment},
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
    """One root with the values of its example, applied with the stand-in."""

    workspace: Workspace
    where: str

    def plan(self, *more: str, environment: Mapping[str, str] = _NOTHING) -> str:
        """Whether there is anything to do: `empty` or `changes`. An error raises."""
        code, _ = self._run("plan", "-detailed-exitcode", *more, allowed=(0, 2), environment=environment)
        return {0: "empty", 2: "changes"}[code]

    def apply(self, *more: str, environment: Mapping[str, str] = _NOTHING) -> str:
        """Plan, save, and apply what was saved, as Cloud Build does."""
        self._run("plan", "-out=saved.tfplan", *more, environment=environment)
        return self.workspace.run(self.where, "apply", "-no-color", "saved.tfplan", environment=environment)[1]

    def destroy(self, *more: str, allowed: Sequence[int] = (0,), environment: Mapping[str, str] = _NOTHING) -> str:
        """What terraform says to it."""
        return self._run("destroy", "-auto-approve", *more, allowed=allowed, environment=environment)[1]

    def resources(self) -> dict[str, dict[str, Any]]:
        """What there is, by address without keys of instances."""
        return {
            ".".join(part for part in (resource.get("module"), resource["type"], resource["name"]) if part): resource
            for resource in self.workspace.state(self.where)["resources"]
            if resource["mode"] == "managed"
        }

    def _run(
        self, command: str, *more: str, allowed: Sequence[int] = (0,), environment: Mapping[str, str] = _NOTHING
    ) -> tuple[int, str]:
        self.workspace.initialise(self.where)
        image = [] if self.where == "bootstrap" else [f"-var=image={IMAGE}"]
        arguments = ("-no-color", "-var-file=example.tfvars", *image, *more)
        return self.workspace.run(self.where, command, *arguments, allowed=allowed, environment=environment)
