"""Terraform as the steps call it, and what it has rolled out as they ask it: what a plan has, runs once it is applied.

Beside google.py's things `folder` holds `running.json`, the image of each environment, and `sick.json`, images that
never get well. Which environment is meant tells ENVIRONMENT, as it tells the steps.
"""

import json
import os
import sys
import tarfile
from pathlib import Path

POOL = "projects/my-project/locations/europe-west3/workerPools/xnovu-{}-worker"


class Deployed:
    """What Terraform makes, as far as builds ask it."""

    def __init__(self, folder: Path) -> None:
        self._running = folder / "running.json"
        self._sick = folder / "sick.json"
        self._environment = os.environ.get("ENVIRONMENT", "")

    def answer(self, name: str, arguments: list[str]) -> None:
        """Do it; what is not known here is done without a word."""
        line = " ".join([name, *arguments])
        if name == "terraform" and arguments[0] == "plan":
            self._plan(arguments)
        elif name == "terraform" and arguments[0] == "apply":
            self._apply(arguments)
        elif line == "terraform state pull":
            sys.stdout.write(f'{{\n  "serial": {len(self._images())}\n}}\n')
        elif name == "terraform" and arguments[:2] == ["show", "-json"]:
            reference = {"secret": f"xnovu-{self._environment}-novu-secret-key", "version": "1"}
            plan = {"variables": {"project_id": {"value": "my-project"}}, "planned_values": {"env": [reference]}}
            sys.stdout.write(json.dumps(plan))
        elif line == "terraform output -json functions":
            sys.stdout.write(json.dumps({each: {"uri": f"https://{each}.run"} for each in ("status", "trigger")}))
        elif line == "terraform output -json scaled_pools":
            running = self._environment in self._images()
            sys.stdout.write(json.dumps([POOL.format(self._environment)] if running else []))
        elif line.endswith("https://status.run/status"):
            self._status(arguments)
        elif line.endswith("https://trigger.run/trigger?dryRun=true"):
            self._say(arguments, {"dryRun": True})
        elif name == "git" and arguments[0] == "archive":
            out = next(each for each in arguments if each.startswith("--output="))
            with tarfile.open(out.removeprefix("--output="), "w:gz") as archive:
                archive.add("infra")
        elif name == "curl" and "/workerPools/" in line:
            self._say(arguments, {"scaling": {"manualInstanceCount": 7}})

    def _plan(self, arguments: list[str]) -> None:
        image = next(each for each in arguments if each.startswith("image="))
        out = next(each for each in arguments if each.startswith("-out="))
        Path(out.removeprefix("-out=")).write_text(image)
        Path(".terraform.lock.hcl").touch()

    def _apply(self, arguments: list[str]) -> None:
        last = arguments[-1] if arguments[-1].startswith("image=") else Path(arguments[-1]).read_text()
        images = {**self._images(), self._environment: last.removeprefix("image=")}
        self._running.write_text(json.dumps(images))

    def _status(self, arguments: list[str]) -> None:
        image = self._images()[self._environment]
        build = image.partition("@")[2]
        sick = json.loads(self._sick.read_text()) if self._sick.exists() else []
        processes = [{"component": "listener", "build": build}]
        self._say(arguments, {"build": build, "processes": processes}, "503" if image in sick else "200")

    def _say(self, arguments: list[str], answer: object, status: str = "200") -> None:
        Path(arguments[arguments.index("--output") + 1]).write_text(json.dumps(answer))
        sys.stdout.write(status)

    def _images(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._running.read_text())
        return found
