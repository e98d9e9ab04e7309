"""docs/deploy.md typed as it stands, in a clean clone: the real terraform on the stand-in, fakes of the rest."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from functions.trigger_request import CreateAndSend, parse_trigger_request
from tests.infra.terraform.providers import ProvidersUnavailable, find
from tests.infra.terraform.typed_tools import TOOLS
from tests.infra.terraform.workspace import SETTINGS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text()
NEEDED = DOCUMENT.partition("## What you need")[2].partition("## ")[0]
BEFORE = "b" * 64
"""The digest of an image that was there before."""
KEYS = ("NOVU_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "TEMPORAL_API_KEY", "NEW_NOVU_SECRET_KEY")
VALUES = "../environments/dev/values.tfvars"
NEW_NUMBER = f"sed -i 's/novu_secret_key .*/novu_secret_key = 2/' {VALUES}"
PROTECTED = f"sed -i 's/^deletion_protection .*/deletion_protection = true/' {VALUES}"
MOVED = f"sed -i 's/^region .*/region = \"europe-west1\"/' {VALUES}"
"""What a person does in an editor."""
OF_A_NEW_PROJECT = ("logging", "monitoring", "serviceusage", "storage")
"""APIs that are on from the beginning, of those that are used."""

LAUNCHER = """#!{python}
import pathlib, sys
sys.path.insert(0, {root!r})
from tests.infra.terraform.typed_tools import run
run(pathlib.Path(sys.argv[0]).name, sys.argv[1:], pathlib.Path({folder!r}), {terraform!r})
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


def typed_again_where_it_stops(fence: str) -> str:
    """As the document says: the same `terraform apply` once more."""
    return re.sub(r"^(terraform apply[^\n]*)$", r"\1 || { echo 'typed again'; \1; }", fence, flags=re.MULTILINE)


def tools(tmp_path: Path, terraform: str) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    given = {"python": f"{sys.executable} -S", "root": str(ROOT), "folder": str(tmp_path), "terraform": terraform}
    for name in TOOLS:
        (folder / name).write_text(LAUNCHER.format(**given))
        (folder / name).chmod(0o755)
    return folder


def type_in(clone: Path, tmp_path: Path, typed: list[str]) -> tuple[str, list[str]]:
    """What a new project's owner reads who types this, and every command that was run."""
    try:
        providers = find()
    except ProvidersUnavailable as unavailable:
        pytest.skip(f"Terraform is not checked: {unavailable}")
    if not providers.is_stand_in:
        pytest.skip("it would be a real project of somebody's")
    terraform = shutil.which("terraform")
    assert terraform is not None
    world = tmp_path / "world.json"
    world.write_text(json.dumps({"services": dict.fromkeys(OF_A_NEW_PROJECT, 0)}))
    environment = {
        **providers.environment,
        **SETTINGS,
        "HOME": str(tmp_path),
        "PATH": f"{tools(tmp_path, terraform)}{os.pathsep}{os.environ['PATH']}",
        "STAND_IN_WORLD": str(world),
        # Bootstrap stops in its middle, and so does the environment: its containers do not start the first time.
        "STAND_IN_FAILS_ONCE": "google_artifact_registry_repository,google_cloud_run_v2_worker_pool",
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_CLI_ARGS_destroy": "-auto-approve",
        "TF_VAR_wait_seconds": "2",
        **dict.fromkeys(KEYS, "x"),
    }

    ended = subprocess.run(
        ["bash", "-c", "\n".join(["set -euo pipefail", *typed])],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
    )

    assert ended.returncode == 0, ended.stdout[-3000:]
    assert "accessNotConfigured" not in ended.stdout, "an API was asked before it was there"
    return ended.stdout, (tmp_path / "calls").read_text().splitlines()


def first_hours() -> list[str]:
    return [*map(typed_again_where_it_stops, fences("## What you need", "## Every deployment after that"))]


def test_what_is_typed_leads_from_an_empty_project_to_a_notification(clone: Path, tmp_path: Path) -> None:
    said, calls = type_in(clone, tmp_path, first_hours())

    assert "No changes. Your infrastructure matches the configuration." in said
    assert said.count("typed again") == 2, "of bootstrap, and of the environment"
    assert [call for call in calls if call.startswith("supabase")] == [
        "supabase login",
        "supabase --workdir infra link --project-ref YOUR_PROJECT",
        "supabase --workdir infra db push",
    ]
    assert sum("secrets versions add xnovu-dev-" in call for call in calls) == 3
    (built,) = [call for call in calls if call.startswith("docker")]
    assert "--platform linux/amd64" in built
    image = next(call.rpartition("image=")[2] for call in calls if call.startswith("terraform apply -var-file"))
    assert re.fullmatch(r"europe-west3-docker\.pkg\.dev/my-project/xnovu/xnovu@sha256:[0-9a-f]{64}", image)
    assert [call.rpartition("/")[2] for call in calls if call.startswith("curl")] == ["status", "trigger"]
    assert isinstance(parse_trigger_request(json.loads((tmp_path / "sent.json").read_text())), CreateAndSend)


@pytest.mark.whole
def test_what_is_typed_later_goes_back_rotates_moves_and_takes_down(clone: Path, tmp_path: Path) -> None:
    (roll_back,) = fences("## Roll back", "## Rotate a secret")
    add, apply, disable = fences("## Rotate a secret", "## Move to another region")
    lift, move = fences("## Move to another region", "## Take it down")
    (take_down,) = fences("## Take it down", "## What it costs")
    see = "cp $STAND_IN_WORLD $HOME/{}.json"
    later = [
        roll_back.replace("THE_ONE_BEFORE", BEFORE),
        see.format("went_back"),
        add,
        NEW_NUMBER,
        apply,
        disable.replace("OLD_NUMBER", "1"),
        see.format("rotated"),
        PROTECTED,
        apply,
        f"! {take_down.splitlines()[1].replace(' -var decommissioning=true', '')}",
        lift,
        MOVED,
        typed_again_where_it_stops(move),
        see.format("moved"),
        take_down,
    ]

    _, calls = type_in(clone, tmp_path, [*first_hours(), *later])

    def there(name: str) -> str:
        return (tmp_path / f"{name}.json").read_text().replace("\\", "")

    def secrets(name: str) -> set[str]:
        return set(re.findall(r'"secret": "[^"]*dev-novu-secret-key", "version": "(\w+)"', there(name)))

    assert BEFORE in there("went_back")
    assert BEFORE not in there("rotated")
    assert (secrets("went_back"), secrets("rotated")) == ({"1"}, {"2"}), "the old one is not read any more"
    assert "gcloud secrets versions disable 1 --secret=xnovu-dev-novu-secret-key" in calls
    ran = re.compile(r'"google_cloud_run_v2_\w+ projects/my-project/locations/([\w-]+)/')
    assert set(ran.findall(there("rotated"))) == {"europe-west3"}
    assert set(ran.findall(there("moved"))) == {"europe-west1"}
    assert ran.findall(there("world")) == []
    assert "google_secret_manager_secret" in there("world")


def test_every_tool_that_is_typed_is_asked_for() -> None:
    typed = set(
        re.findall(rf"(?<![\w./-])({'|'.join([*TOOLS, 'git'])})(?= )", "\n".join(fences("## What", "## Every")))
    )

    assert typed == {*TOOLS, "git"}
    assert [name for name in typed if f"`{name}`" not in NEEDED] == []
