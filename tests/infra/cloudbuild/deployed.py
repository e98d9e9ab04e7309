"""Terraform as the steps call it, and what it has rolled out as they ask it: what a plan has, runs once it is applied.

Beside google.py's things `folder` holds `running.json`, the image of each environment, and `sick.json`, images that
never get well. With `pools.json`, which holds the images of each environment's pools, there is a pool for each build:
then `drained.json` names images whose pools are empty, `idle.json` those whose workers never poll, and `current.json`
the one that has the work. Which environment is meant tells ENVIRONMENT, as it tells the steps.
"""

import json
import os
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

POOL = "projects/my-project/locations/europe-west3/workerPools/xnovu-{}-worker"


class Deployed:
    """What Terraform makes, as far as builds ask it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = folder / "running.json"
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
        elif line == "terraform output -json":
            sys.stdout.write(json.dumps({"worker_builds": {"value": self._builds()}} if self._is_versioned() else {}))
        elif line == "terraform output -json deploy_job":
            job = f"projects/my-project/locations/europe-west3/jobs/xnovu-{self._environment}-deploy"
            sys.stdout.write(json.dumps(job if self._is_versioned() else None))
        elif line.startswith("gcloud run jobs execute "):
            self._deploy(re.findall(r"execute xnovu-(\w+)-deploy --project=\S+ --region=\S+ --wait$", line)[0])
        elif line.endswith("https://status.run/status"):
            self._status(arguments)
        elif line.endswith("https://trigger.run/trigger?dryRun=true"):
            self._say(arguments, {"dryRun": True})
        elif name == "git" and arguments[0] == "archive":
            out = next(each for each in arguments if each.startswith("--output="))
            with tarfile.open(out.removeprefix("--output="), "w:gz") as archive:
                archive.add("infra")
        elif name == "curl" and "/workerPools/" in line:
            drained = {_short(image) for image in self._told("drained", [])}
            is_empty = line.rpartition("-")[2] in drained
            self._say(arguments, {"scaling": {} if is_empty else {"manualInstanceCount": 7}})

    def _plan(self, arguments: list[str]) -> None:
        out = next(each for each in arguments if each.startswith("-out="))
        Path(out.removeprefix("-out=")).write_text(json.dumps(_wanted(arguments)))
        Path(".terraform.lock.hcl").touch()

    def _apply(self, arguments: list[str]) -> None:
        saved = arguments[-1].endswith(".tfplan")
        image, kept = json.loads(Path(arguments[-1]).read_text()) if saved else _wanted(arguments)
        self._running.write_text(json.dumps({**self._images(), self._environment: image}))
        if self._is_versioned():
            pools = {**self._told("pools", {}), self._environment: sorted({image, *kept})}
            (self._folder / "pools.json").write_text(json.dumps(pools))

    def _builds(self) -> dict[str, object]:
        pools = self._told("pools", {}).get(self._environment, [])
        current = self._images().get(self._environment)
        return {
            f"{POOL.format(self._environment)}-{_short(image)}": {
                "image": image,
                "is_current": image == current,
                "empties": True,
            }
            for image in pools
        }

    def _deploy(self, environment: str) -> None:
        """The job, which is of the image that was applied last."""
        image = self._images()[environment]
        if image in self._told("idle", []):
            sys.exit("ERROR: (gcloud.run.jobs.execute) The execution failed.")
        (self._folder / "current.json").write_text(json.dumps({**self._told("current", {}), environment: image}))

    def _is_versioned(self) -> bool:
        return (self._folder / "pools.json").exists()

    def _told(self, name: str, otherwise: Any) -> Any:
        path = self._folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else otherwise

    def _status(self, arguments: list[str]) -> None:
        image = self._images()[self._environment]
        build = image.partition("@")[2]
        sick = self._told("sick", [])
        processes = [{"component": "listener", "build": build}]
        self._say(arguments, {"build": build, "processes": processes}, "503" if image in sick else "200")

    def _say(self, arguments: list[str], answer: object, status: str = "200") -> None:
        Path(arguments[arguments.index("--output") + 1]).write_text(json.dumps(answer))
        sys.stdout.write(status)

    def _images(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._running.read_text())
        return found


def _wanted(arguments: list[str]) -> tuple[str, list[str]]:
    """The image that is to run, and those whose pools stay."""
    image = next(each for each in arguments if each.startswith("image="))
    files = [each.removeprefix("-var-file=") for each in arguments if each.endswith("/kept.tfvars.json")]
    kept = json.loads(Path(files[0]).read_text()).get("kept_worker_builds", []) if files else []
    return image.removeprefix("image="), kept


def _short(image: str) -> str:
    return image.partition("sha256:")[2][:12]
