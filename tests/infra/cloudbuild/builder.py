"""A checked-out source on a builder whose gcloud, docker, terraform and curl are fakes that do as they are told."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SCRIPTS = Path(__file__).parents[3] / "infra" / "cloudbuild"
DIGEST = "sha256:" + "0f1e2d3c" * 8
IMAGE = f"europe-west3-docker.pkg.dev/project/xnovu/xnovu@{DIGEST}"
BEFORE = IMAGE.replace("0f1e", "aaaa")
PLAN = "a saved plan"
CHECKSUM = hashlib.sha256(PLAN.encode()).hexdigest()
ENVIRONMENT = "infra/terraform/environments/dev"
TOKEN = "planted-identity-token"

TOOLS = ("gcloud", "docker", "terraform", "curl", "git", "apt-get", "sleep")

FAKE = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
stdin = sys.stdin.read() if "@-" in arguments else ""
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps({{"name": name, "arguments": arguments, "stdin": stdin}}) + "\\n")
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
        found = {"PATH": f"{self.fakes}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(self.root), **environment}
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
            fake.write_text(FAKE.format(python=sys.executable, folder=str(made.fakes)))
            fake.chmod(0o755)
        made.write("build/image", IMAGE + "\n")
        return made
