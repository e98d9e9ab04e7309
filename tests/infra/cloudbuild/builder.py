"""A checked-out source on a builder whose gcloud, docker, terraform and curl are fakes that do as they are told."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import yaml

SCRIPTS = Path(__file__).parents[3] / "infra" / "cloudbuild"
DIGEST = "sha256:" + "0f1e2d3c" * 8
NAME = "europe-west3-docker.pkg.dev/project/xnovu/xnovu"
IMAGE = f"{NAME}@{DIGEST}"
BEFORE = IMAGE.replace("0f1e", "aaaa")
PLAN = "a saved plan"
STEPS = SCRIPTS / "apply.yaml"
STEPS_SHA256 = hashlib.sha256(STEPS.read_bytes()).hexdigest()
ENVIRONMENT = "infra/terraform/environments/dev"
ROOT = "infra/terraform/xnovu_app"
TOKEN = "planted-identity-token"

TOOLS = ("gcloud", "docker", "terraform", "curl", "git", "apt-get", "sleep")
IN_IMAGE = {
    "gcr.io/cloud-builders/docker": {"docker", "sleep"},
    "gcr.io/cloud-builders/gcloud": {"gcloud", "curl", "git", "sleep"},
    "hashicorp/terraform": {"terraform", "git", "sleep"},
    "python": {"apt-get", "sleep"},
}
"""Which of the tools a step's image has."""


def _images() -> dict[str, str]:
    """In which image a script runs."""
    builds = [SCRIPTS.parents[1] / "cloudbuild.yaml", *SCRIPTS.glob("*.yaml")]
    steps = [step for path in builds for step in yaml.safe_load(path.read_text())["steps"]]
    return {Path(step["entrypoint"]).name: re.split("[:@]", step["name"])[0] for step in steps}


FAKE = """#!{python}
import json, os, pathlib, sys
sys.path.insert(0, {here!r})
import google
folder = pathlib.Path({folder!r})
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
if name not in {tools!r}.get(os.environ["STEP_IMAGE"], ()):
    sys.exit(f"{{name}}: not found in {{os.environ['STEP_IMAGE']}}")
stdin = sys.stdin.read() if "@-" in arguments else ""
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps({{"name": name, "arguments": arguments, "stdin": stdin}}) + "\\n")
google.Google(folder).permit(name, arguments)
line = " ".join([name, *arguments])
later = folder / "later.json"
rules = json.loads(later.read_text()) if later.exists() else []
for rule in rules + json.loads((folder / "rules.json").read_text()):
    if rule["when"] in line:
        for path, content in rule.get("writes", {{}}).items():
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(path).write_text(content)
        if rule.get("then"):
            line, says = rule["then"]
            (folder / "later.json").write_text(json.dumps([{{"when": line, "says": says}}]))
        print(rule.get("says", ""), end="")
        print(rule.get("complains", ""), end="", file=sys.stderr)
        sys.exit(rule.get("ends", 0))
google.Google(folder).answer(name, arguments)
if (folder / "running.json").exists():
    import deployed
    deployed.Deployed(folder).answer(name, arguments)
"""


@dataclass
class Builder:
    """A checked-out source, and tools that answer by the first rule that fits."""

    root: Path
    fakes: Path
    rules: list[dict[str, object]] = field(default_factory=list)

    def when(
        self,
        line: str,
        *,
        says: str = "",
        complains: str = "",
        ends: int = 0,
        writes: Mapping[str, str] | None = None,
        then: tuple[str, str] | None = None,
    ) -> None:
        """Answer a command line that holds `line`; the rule told last counts first.

        `then` is another line, and what it is answered with from then on.
        """
        rule = {"when": line, "says": says, "complains": complains, "ends": ends, "writes": dict(writes or {})}
        self.rules.insert(0, {**rule, "then": then})

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (self.fakes / "rules.json").write_text(json.dumps(self.rules))
        image = _images()[script]
        found = {
            "STEP_IMAGE": image,
            "PATH": f"{self.fakes}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(self.root),
            **environment,
        }
        return subprocess.run(
            [str(SCRIPTS / script)], cwd=self.root, env=found, capture_output=True, text=True, timeout=60
        )

    def write(self, path: str, content: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(content)

    def read(self, path: str) -> str:
        return (self.root / path).read_text().strip()

    @property
    def calls(self) -> list[str]:
        recorded = self.fakes / "calls.jsonl"
        lines = recorded.read_text().splitlines() if recorded.exists() else []
        return [" ".join([call["name"], *call["arguments"]]) for call in map(json.loads, lines)]

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """With an image built, and an environment `dev`."""
        made = cls(folder / "workspace", folder / "fakes")
        made.fakes.mkdir()
        (made.root / ENVIRONMENT).mkdir(parents=True)
        for name in TOOLS:
            fake = made.fakes / name
            fake.write_text(
                FAKE.format(
                    python=f"{sys.executable} -S",
                    folder=str(made.fakes),
                    here=str(Path(__file__).parent),
                    tools=IN_IMAGE,
                )
            )
            fake.chmod(0o755)
        made.write("build/image", IMAGE + "\n")
        made.write("build/committed_at", "1795000000\n")
        made.write("infra/cloudbuild/apply.yaml", STEPS.read_text())
        return made

    def keep(self, url: str, content: str) -> None:
        """Put an object into a bucket."""
        path = self.fakes / "buckets" / url.removeprefix("gs://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def kept(self, url: str) -> str | None:
        """An object of a bucket; None if it is not there."""
        path = self.fakes / "buckets" / url.removeprefix("gs://")
        return path.read_text().strip() if path.exists() else None

    def push(self, tag: str, digest: str) -> None:
        """Put an image into the registry."""
        (self.fakes / "registry.json").write_text(json.dumps({tag: digest}))

    def grant(self, *rights: tuple[str, str]) -> None:
        """From now on, these rights and no others: a permission, and what an object's name begins with."""
        (self.fakes / "rights.json").write_text(json.dumps(rights))
