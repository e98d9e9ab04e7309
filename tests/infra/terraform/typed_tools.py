"""The tools of docs/deploy.md as a person has them who types it: each refuses what it is asked too early.

It runs as each tool, by the name of a launcher (test_first_hours.py). `folder` holds `calls`, every command so far, and
what google.py keeps there; STAND_IN_WORLD is what google_refuses.py knows. Terraform is the real one, but for its
state: Google's bucket cannot be reached, so that is a file.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

from tests.infra.cloudbuild.google import Google, fail

TOOLS = ("curl", "docker", "gcloud", "jq", "supabase", "terraform")

BEFORE = {
    "docker": "gcloud auth configure-docker europe-west3-docker.pkg.dev",
    "gcloud auth application-default login": "gcloud config set project",
    "gcloud auth print-identity-token": "gcloud auth login",
    "gcloud config set project": "gcloud auth login",
    "gcloud secrets": "gcloud config set project",
    "gcloud services": "gcloud config set project",
    "supabase --workdir": "supabase login",
    "terraform": "gcloud auth application-default login",
}
"""What must have been typed before a command that begins so."""


def run(name: str, arguments: list[str], folder: Path, terraform: str) -> None:
    """Be the tool."""
    line = " ".join([name, *arguments])
    calls = folder / "calls"
    with calls.open("a") as file:
        file.write(line + "\n")
    typed = calls.read_text().splitlines()
    for begins, before in BEFORE.items():
        if line.startswith(begins) and not any(each.startswith(before) for each in typed):
            fail(f"ERROR: {line}: no {before} was typed before it")
    if name == "terraform":
        _terraform(arguments, terraform)
    elif line.startswith("gcloud services enable "):
        _turn_on(arguments[2:])
    elif line == "gcloud auth print-identity-token":
        sys.stdout.write("token\n")
    elif name == "jq":
        _jq([each for each in arguments if each != "-r"])
    elif name == "curl":
        _call(arguments, folder)
    else:
        Google(folder).answer(name, arguments)


def _terraform(arguments: list[str], terraform: str) -> None:
    where = next((each.removeprefix("-chdir=") for each in arguments if each.startswith("-chdir=")), ".")
    if Path(where, "versions.tf").exists():
        Path(where, "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    known = [each for each in arguments if not each.startswith("-backend-config")]
    os.execv(terraform, ["terraform", *known])


def _turn_on(services: list[str]) -> None:
    world = Path(os.environ["STAND_IN_WORLD"])
    there = json.loads(world.read_text())
    for each in services:
        there["services"].setdefault(each.removesuffix(".googleapis.com"), time.time())
    world.write_text(json.dumps(there))


def _jq(arguments: list[str]) -> None:
    path, *files = arguments
    found = json.loads(Path(files[0]).read_text() if files else sys.stdin.read())
    for quoted, plain in re.findall(r'[.](?:"([^"]+)"|(\w+))', path):
        found = found[quoted or plain]
    sys.stdout.write(f"{found}\n")


def _call(arguments: list[str], folder: Path) -> None:
    """A function, which wants to know who calls."""
    known = re.fullmatch(r"https://\S+/(status|trigger)", arguments[-1])
    if not known or "Authorization: Bearer token" not in arguments:
        fail(f"curl: (22) The requested URL returned error: 403: {arguments[-1]}")
    if "-d" in arguments:
        (folder / "sent.json").write_text(arguments[arguments.index("-d") + 1])
