"""docs/deploy.md typed as it stands, in a clean clone: the real terraform on the stand-in, fakes of the rest."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.terraform.providers import ProvidersUnavailable, find
from tests.infra.terraform.workspace import SETTINGS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text()
TYPED = "## 1. The database", "## 5. A notification"

# Google's bucket for states cannot be reached: the state is a file, whatever backend is asked for.
TERRAFORM = """#!{python}
import os, sys
arguments = [each for each in sys.argv[1:] if not each.startswith("-backend-config")]
where = next((each.removeprefix("-chdir=") for each in arguments if each.startswith("-chdir=")), ".")
if os.path.exists(f"{{where}}/versions.tf"):
    with open(f"{{where}}/backend_override.tf", "w") as override:
        override.write('terraform {{\\n  backend "local" {{}}\\n}}\\n')
with open({calls!r}, "a") as calls:
    calls.write(" ".join(["terraform", *sys.argv[1:]]) + "\\n")
os.execv({terraform!r}, ["terraform", *arguments])
"""

OTHERS = """#!{python}
import json, pathlib, sys
sys.path.insert(0, {here!r})
import google
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with open({calls!r}, "a") as calls:
    calls.write(" ".join([name, *arguments]) + "\\n")
if name == "jq":
    print(json.loads(pathlib.Path(arguments[-1]).read_text())[arguments[1].strip('."')])
else:
    google.Google(pathlib.Path({folder!r})).answer(name, arguments)
"""


def fences(begin: str, end: str) -> list[str]:
    """What is typed between two headings, for the environment dev."""
    part = DOCUMENT.partition(begin)[2].partition(end)[0]
    return [each.replace("ENV", "dev") for each in re.findall(r"^```sh\n(.*?)^```", part, re.DOTALL | re.MULTILINE)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a person has who has cloned the project."""
    found = tmp_path / "clone"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        if name.startswith(("infra/", "docs/deploy.md", "cloudbuild.yaml")) and (ROOT / name).is_file():
            (found / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, found / name)
    subprocess.run(["git", "init", "-q"], cwd=found, check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], cwd=found, check=True)
    return found


def tools(tmp_path: Path, terraform: str) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    given = {"calls": str(tmp_path / "calls"), "folder": str(tmp_path), "python": f"{sys.executable} -S"}
    here = str(Path(__file__).parent / "cloudbuild")
    for name in ("supabase", "gcloud", "docker", "jq", "terraform"):
        text = TERRAFORM if name == "terraform" else OTHERS
        (folder / name).write_text(text.format(**given, here=here, terraform=terraform))
        (folder / name).chmod(0o755)
    return folder


def test_what_is_typed_leads_from_an_empty_project_to_one_with_nothing_left_to_do(clone: Path, tmp_path: Path) -> None:
    try:
        providers = find()
    except ProvidersUnavailable as unavailable:
        pytest.skip(f"Terraform is not checked: {unavailable}")
    if not providers.is_stand_in:
        pytest.skip("it would be a real project of somebody's")
    terraform = shutil.which("terraform")
    assert terraform is not None
    typed = "\n".join(["set -euo pipefail", *fences(*TYPED)])
    environment = {
        **providers.environment,
        **SETTINGS,
        "HOME": str(tmp_path),
        "PATH": f"{tools(tmp_path, terraform)}{os.pathsep}{os.environ['PATH']}",
        "STAND_IN_WORLD": str(tmp_path / "world.json"),
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_ARGS_apply": "-auto-approve",
        **dict.fromkeys(("NOVU_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "TEMPORAL_API_KEY"), "x"),
    }

    ended = subprocess.run(
        ["bash", "-c", typed], cwd=clone, env=environment, capture_output=True, text=True, timeout=400
    )

    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "No changes. Your infrastructure matches the configuration." in ended.stdout
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call for call in calls if call.startswith("supabase")] == [
        "supabase --workdir infra link --project-ref YOUR_PROJECT",
        "supabase --workdir infra db push",
    ]
    assert sum("secrets versions add xnovu-dev-" in call for call in calls) == 3
    (built,) = [call for call in calls if call.startswith("docker")]
    assert "--platform linux/amd64" in built
    images = [call.rpartition("image=")[2] for call in calls if "image=" in call and call.startswith("terraform apply")]
    assert images
    assert re.fullmatch(r"europe-west3-docker\.pkg\.dev/my-project/xnovu/xnovu@sha256:[0-9a-f]{64}", images[0])
