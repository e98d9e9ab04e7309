"""Cloud Build, played: triggers as Terraform plans them, each build in a checkout of its own, as its own account.

The steps are the files' own, run with fakes on PATH (builder.py); what an account may do is what the bindings grant it.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.infra.cloudbuild.builder import ROOT, SCRIPTS, STEPS, Builder
from tests.infra.terraform.reach import Binding, There

PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "be known": ("iam.serviceAccounts.getOpenIdToken",),
    "change what runs": ("run.jobs.run", "run.services.update", "run.workerpools.get", "run.workerpools.update"),
    "create objects": ("storage.objects.create",),
    "list objects": ("storage.objects.list",),
    "look": ("cloudbuild.builds.list", "run.services.get", "run.workerpools.get"),
    "look at secrets": ("secretmanager.versions.get",),
    "overwrite objects": ("storage.objects.create", "storage.objects.delete"),
    "pull images": ("artifactregistry.repositories.downloadArtifacts",),
    "push images": (
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry.repositories.uploadArtifacts",
    ),
    "read findings": ("ondemandscanning.scans.listVulnerabilities",),
    "read objects": ("storage.objects.get",),
    "scan": ("ondemandscanning.scans.analyzePackages",),
}
"""Of a power (reach.py) what the steps use."""


@dataclass(frozen=True, slots=True)
class Build:
    """One build: what became of it, and what its last step said."""

    id: str
    trigger: str
    revision: str
    succeeded: bool
    said: str


@dataclass
class Play:
    """What there is at Google, and the builds so far."""

    folder: Path
    there: There
    triggers: Mapping[str, Mapping[str, Any]]
    builder: Builder
    builds: list[Build] = field(default_factory=list)
    tests_fail: set[str] = field(default_factory=set)

    @classmethod
    def begin(cls, folder: Path, there: There, planned: Iterable[Mapping[str, Any]]) -> "Play":
        """With nothing built and nothing running. `planned` are the triggers of all projects, as planned."""
        builder = Builder.in_folder(folder)
        (builder.fakes / "running.json").write_text("{}")
        builder.when("git log -1 --format=%ct", says="1795000000\n")
        builder.when("imagetools inspect", says='{"SPDX": {}}')
        builder.when("docker images scan", says="projects/p/locations/europe/scans/1")
        builder.when("versions describe", says="ENABLED\n")
        builder.when("auth print-", says="token")
        builder.when("image inspect", says="65532:65532")
        for part in (" listener", " worker"):
            builder.when(part, says="TEMPORAL_ADDRESS: is missing", ends=2)
        builder.when("run --detach", says="container")
        builder.when("terraform output -raw current_worker_pool", ends=1)
        return cls(folder, there, {each["name"]: each for each in planned}, builder)

    def run(self, name: str, revision: str) -> Build:
        """What a push of this commit starts by the name, or somebody's retry: another build each time."""
        return self._run(self.triggers[name], revision, {"COMMIT_SHA": revision})

    def apply(self, plan: Build, *, approved: bool = True) -> Build | None:
        """The build that the end of `plan` starts, if it starts one and nobody withholds an approval that it takes."""
        data = {
            "buildTriggerId": self.triggers[plan.trigger]["trigger_id"],
            "id": plan.id,
            "status": "SUCCESS" if plan.succeeded else "FAILURE",
            "substitutions.COMMIT_SHA": plan.revision,
        }
        for trigger in (each for each in self.triggers.values() if each["pubsub_config"]):
            given = {name: _of_message(value, data) for name, value in trigger["substitutions"].items()}
            gated = any(each["approval_required"] for each in trigger["approval_config"])
            if _passes(trigger["filter"], given) and (approved or not gated):
                return self._run(trigger, plan.revision, given)
        return None

    def running(self) -> dict[str, str]:
        """The image of each environment."""
        found: dict[str, str] = json.loads((self.builder.fakes / "running.json").read_text())
        return found

    def falls_sick(self, *images: str) -> None:
        """These never get well, from now on; the others do."""
        (self.builder.fakes / "sick.json").write_text(json.dumps(images))

    def is_versioned(self) -> None:
        """From now on each build has a pool of its own."""
        (self.builder.fakes / "pools.json").write_text("{}")

    def pools(self, environment: str) -> list[str]:
        """The images of an environment's pools."""
        found: dict[str, list[str]] = json.loads((self.builder.fakes / "pools.json").read_text())
        return found[environment]

    def has_the_work(self) -> dict[str, str]:
        """The image of each environment's current build, as Temporal has it."""
        path = self.builder.fakes / "current.json"
        found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def never_poll(self, *images: str) -> None:
        """Their workers do not start."""
        (self.builder.fakes / "idle.json").write_text(json.dumps(images))

    def are_drained(self, *images: str) -> None:
        """Of these builds nothing runs any more: the scaler has taken their last instance away."""
        (self.builder.fakes / "drained.json").write_text(json.dumps(images))

    def image_of(self, revision: str) -> str:
        """By digest, as the registry has it."""
        found = json.loads((self.builder.fakes / "registry.json").read_text())
        (tag,) = (tag for tag in found if tag.endswith(f":{revision}"))
        return f"{tag.rpartition(':')[0]}@{found[tag]}"

    def _run(self, trigger: Mapping[str, Any], revision: str, given: Mapping[str, str]) -> Build:
        build = f"b-{len(self.builds) + 1}"
        root = self.folder / build
        root.mkdir()
        if not trigger["build"]:  # else its first step fetches what was planned
            self._check_out(root, revision)
        account = "serviceAccount:" + trigger["service_account"].rpartition("/")[2]
        self.builder.grant(
            *{right for each in self.there.bindings if each.member == account for right in _rights(each)}
        )
        self._tell_what_succeeded(revision)
        known = {**(trigger["substitutions"] or {}), **given, "BUILD_ID": build}
        made = Build(build, trigger["name"], revision, *self._steps(root, trigger, known))
        self.builds.append(made)
        return made

    def _steps(self, root: Path, trigger: Mapping[str, Any], given: Mapping[str, str]) -> tuple[bool, str]:
        steps = trigger["build"][0]["step"] if trigger["build"] else _of_file(trigger["filename"])
        for step in steps:
            environment = dict(each.split("=", 1) for each in step.get("env") or ())
            ended = subprocess.run(
                [_program(step["entrypoint"]), *(_substitute(each, given) for each in step.get("args") or ())],
                cwd=root,
                env={
                    "PATH": f"{self.builder.fakes}{os.pathsep}/usr/bin{os.pathsep}/bin",
                    "HOME": str(root),
                    "STEP_IMAGE": re.split("[:@]", step["name"])[0],
                    "WITHIN_SECONDS": "0",
                    **{key: _substitute(value, given) for key, value in environment.items()},
                },
                capture_output=True,
                text=True,
                timeout=60,
            )
            if ended.returncode != 0:
                return False, f"{step['id']}: {ended.stdout}{ended.stderr}"
        return True, ""

    def _check_out(self, root: Path, revision: str) -> None:
        """The commit's sources."""
        sources = {f"{ROOT}/main.tf": "", "infra/cloudbuild/apply.yaml": STEPS.read_text()}
        for name in ("dev", "staging", "prod"):
            values = f"infra/terraform/environments/{name}"
            sources |= {f"{values}/values.tfvars": "", f"{values}/dry_run.json": "{}"}
        for path, content in {".ci/run": f"#!/bin/sh\nexit {int(revision in self.tests_fail)}\n", **sources}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content)
        (root / ".ci" / "run").chmod(0o755)

    def _tell_what_succeeded(self, revision: str) -> None:
        rules = []
        for each in reversed(self.builds):
            if each.revision == revision:
                trigger = self.triggers[each.trigger]["trigger_id"]
                asked = f"buildTriggerId={trigger} AND substitutions.COMMIT_SHA={revision}"
                rules.append({"when": asked, "says": "SUCCESS\n" if each.succeeded else "FAILURE\n"})
        (self.builder.fakes / "rules.json").write_text(json.dumps([*rules, *self.builder.rules]))


def _of_file(name: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = yaml.safe_load((SCRIPTS.parents[1] / name).read_text())["steps"]
    return steps


def _program(entrypoint: str) -> str:
    return str(SCRIPTS / Path(entrypoint).name) if "/" in entrypoint else entrypoint


def _substitute(text: str, given: Mapping[str, str]) -> str:
    """As Cloud Build does; what is not known is refused."""
    return re.sub(r"\$(_?[A-Z][A-Z0-9_]*)", lambda found: given[found[1]], text)


def _of_message(value: str, data: Mapping[str, str]) -> str:
    """A substitution that is taken from what Cloud Build says of a build."""
    return re.sub(r"\$\(body\.message\.data\.([\w.]+)\)", lambda found: data[found[1]], value)


def _passes(condition: str, given: Mapping[str, str]) -> bool:
    """Whether a trigger's filter lets it through."""
    parts = [re.fullmatch(r"(\w+) == '([^']*)'", part) for part in condition.split(" && ")]
    assert all(parts), f"what does {condition} let through?"
    return all(given[part[1]] == part[2] for part in parts if part)


def _rights(binding: Binding) -> Iterable[tuple[str, str]]:
    prefix = ""
    if binding.kind == "google_storage_bucket_iam_member":
        bucket, _, objects = binding.on.removeprefix("projects/_/buckets/").partition("/objects/")
        prefix = f"gs://{bucket}/{objects}"
    return [(permission, prefix) for power in binding.powers for permission in PERMISSIONS.get(power, ())]
