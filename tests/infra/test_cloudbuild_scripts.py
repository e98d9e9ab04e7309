"""The steps of Cloud Build, each run with fakes of gcloud, docker, terraform and curl on PATH."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "infra" / "cloudbuild"
DIGEST = "sha256:" + "0f1e2d3c" * 8
IMAGE = f"europe-west3-docker.pkg.dev/project/xnovu/xnovu@{DIGEST}"
BEFORE = IMAGE.replace("0f1e", "aaaa")
PLAN = "a saved plan"
CHECKSUM = hashlib.sha256(PLAN.encode()).hexdigest()
ENVIRONMENT = "infra/terraform/environments/dev"
TOKEN = "planted-identity-token"

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


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    made = Builder(tmp_path / "workspace", tmp_path / "fakes")
    made.fakes.mkdir()
    (made.root / ENVIRONMENT).mkdir(parents=True)
    for name in ("gcloud", "docker", "terraform", "curl", "git", "apt-get", "sleep"):
        fake = made.fakes / name
        fake.write_text(FAKE.format(python=sys.executable, folder=str(made.fakes)))
        fake.chmod(0o755)
    made.write("build/image", IMAGE + "\n")
    return made


BUILD_SETTINGS = {"REPOSITORY": IMAGE.partition("/xnovu@")[0], "CACHE": "cache", "REVISION": "c0ffee"}


class TestBuild:
    def test_the_image_is_named_by_its_digest(self, builder: Builder) -> None:
        metadata = json.dumps({"containerimage.digest": DIGEST, "image.name": "x"}, indent=2)
        builder.when("buildx build", writes={"build/metadata.json": metadata})

        assert builder.run("build", **BUILD_SETTINGS).returncode == 0

        assert builder.read("build/image") == IMAGE
        (built,) = [call for call in builder.calls if "buildx build" in call]
        for wanted in ("--provenance mode=max", "--sbom true", "--cache-from type=registry,ref=cache", "--push"):
            assert wanted in built

    def test_without_a_digest_there_is_no_image(self, builder: Builder) -> None:
        builder.when("buildx build", writes={"build/metadata.json": "{}"})
        builder.write("build/image", "")

        ended = builder.run("build", **BUILD_SETTINGS)

        assert ended.returncode != 0
        assert "no digest" in ended.stderr
        assert builder.read("build/image") == ""

    def test_a_build_that_fails_ends_the_step(self, builder: Builder) -> None:
        builder.when("buildx build", ends=1)

        assert builder.run("build", **BUILD_SETTINGS).returncode != 0


def test_every_folder_of_terraform_is_checked_and_one_failure_is_enough(builder: Builder) -> None:
    folders = ["bootstrap", "environments/dev", "environments/staging", "environments/prod", "modules/worker_pool"]
    for folder in folders:
        builder.write(f"infra/terraform/{folder}/main.tf", "")

    assert builder.run("check_terraform").returncode == 0
    builder.when("-chdir=modules/worker_pool test", ends=1)

    assert builder.run("check_terraform").returncode != 0
    for folder in folders:
        assert f"terraform -chdir={folder} validate" in builder.calls
        assert f"terraform -chdir={folder} test" in builder.calls


def test_what_ci_runs_is_what_the_builder_runs(builder: Builder) -> None:
    builder.write(".ci/run", "#!/bin/sh\nexit 3\n")
    (builder.root / ".ci" / "run").chmod(0o755)

    assert builder.run("check").returncode == 3


@pytest.mark.parametrize(("missing", "said"), [(None, ""), (".Provenance", "no Provenance"), (".SBOM", "no SBOM")])
def test_an_image_without_provenance_or_sbom_is_refused(builder: Builder, missing: str | None, said: str) -> None:
    builder.when("imagetools inspect", says='{"SPDX": {}}')
    if missing:
        builder.when(missing, says="null")

    ended = builder.run("attestations")

    assert (ended.returncode == 0) is (missing is None)
    assert said in ended.stderr


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        ("", True),
        ("HIGH,True,CVE-1\nCRITICAL,False,CVE-2\n", True),
        ("HIGH,True,CVE-1\nCRITICAL,True,CVE-3\n", False),
    ],
)
def test_the_scan_refuses_what_is_critical_and_could_be_mended(builder: Builder, found: str, passes: bool) -> None:
    builder.when("docker images scan", says="projects/p/locations/europe/scans/1")
    builder.when("list-vulnerabilities", says=found)

    ended = builder.run("scan", REGION="europe-west3")

    assert (ended.returncode == 0) is passes, ended.stderr
    assert "--location=europe " in builder.calls[0]
    assert passes or "CVE-3" in ended.stderr


@pytest.mark.parametrize("what", ["docker images scan", "list-vulnerabilities"])
def test_a_scan_that_cannot_be_made_is_no_pass(builder: Builder, what: str) -> None:
    builder.when("docker images scan", says="projects/p/locations/europe/scans/1")
    builder.when(what, ends=1)

    assert builder.run("scan", REGION="europe-west3").returncode != 0


class TestSmoke:
    @pytest.fixture
    def image(self, builder: Builder) -> Builder:
        builder.when("image inspect", says="65532:65532")
        for part in ("listener", "worker"):
            builder.when(f"{IMAGE} {part}", says="TEMPORAL_ADDRESS: is missing", ends=2)
        builder.when("run --detach", says="container")
        return builder

    def test_an_image_that_runs_passes_and_nothing_is_left_running(self, image: Builder) -> None:
        ended = image.run("smoke")

        assert ended.returncode == 0, ended.stderr
        assert all("--read-only" in call for call in image.calls if call.startswith("docker run"))
        assert image.calls[-1] == "docker rm --force container"

    @pytest.mark.parametrize(
        ("line", "answer"),
        [
            ("image inspect", {"says": "root"}),
            (f"{IMAGE} --help", {"ends": 1}),
            (f"{IMAGE} worker", {"says": "Traceback", "ends": 1}),
            (f"{IMAGE} listener", {"says": "started"}),
            ("docker exec", {"ends": 1}),
        ],
    )
    def test_an_image_that_does_not_is_refused(self, image: Builder, line: str, answer: dict[str, object]) -> None:
        image.when(line, **answer)  # type: ignore[arg-type]

        assert image.run("smoke").returncode != 0


PLAN_SETTINGS = {"ENVIRONMENT": "dev", "STATE_BUCKET": "bucket", "PLANNER": "planner@project"}


class TestPlan:
    def test_the_plan_is_of_the_image_by_digest_and_kept_for_whoever_applies_it(self, builder: Builder) -> None:
        builder.write(f"{ENVIRONMENT}/terraform.tfvars", "")
        builder.write(f"{ENVIRONMENT}/dry_run.json", "{}")
        builder.when("terraform plan", writes={"saved.tfplan": PLAN})

        assert builder.run("plan", **PLAN_SETTINGS).returncode == 0
        kept = builder.run(
            "keep_plan",
            ENVIRONMENT="dev",
            STATE_BUCKET="bucket",
            REGION="europe-west3",
            APPLY_TRIGGER="xnovu-dev-apply",
            BUILD_ID="b-1",
            REVISION="c0ffee",
        )

        assert kept.returncode == 0, kept.stderr
        assert f"terraform plan -input=false -out=saved.tfplan -var image={IMAGE}" in builder.calls
        assert builder.calls[-2].endswith(" gs://bucket/plans/dev/b-1/")
        assert builder.calls[-1] == (
            "gcloud builds triggers run xnovu-dev-apply --region=europe-west3 --sha=c0ffee"
            f" --substitutions=_PLAN=b-1,_PLAN_SHA256={CHECKSUM}"
        )

    def test_without_values_somebody_is_told(self, builder: Builder) -> None:
        ended = builder.run("plan", **PLAN_SETTINGS)

        assert ended.returncode != 0
        assert "terraform.tfvars is missing: copy example.tfvars" in ended.stderr

    def test_without_a_dry_run_nothing_is_planned(self, builder: Builder) -> None:
        builder.write(f"{ENVIRONMENT}/terraform.tfvars", "")

        ended = builder.run("plan", **PLAN_SETTINGS)

        assert ended.returncode != 0
        assert "dry_run.json is missing: copy infra/cloudbuild/dry_run.example.json" in ended.stderr
        assert builder.calls == []

    def test_a_plan_that_fails_ends_the_step(self, builder: Builder) -> None:
        builder.write(f"{ENVIRONMENT}/terraform.tfvars", "")
        builder.write(f"{ENVIRONMENT}/dry_run.json", "{}")
        builder.when("terraform plan", ends=1)

        assert builder.run("plan", **PLAN_SETTINGS).returncode != 0


APPLY_SETTINGS = {"ENVIRONMENT": "dev", "STATE_BUCKET": "bucket"}


class TestApply:
    FUNCTIONS = json.dumps({"status": {"uri": "https://status.run"}, "trigger": {"uri": "https://trigger.run"}})

    @pytest.fixture
    def deployment(self, builder: Builder) -> Builder:
        """Rolled out before, healthy, and with a plan that applies."""
        builder.write(f"{ENVIRONMENT}/dry_run.json", "{}")
        builder.when("gs://bucket/plans/dev/b-1/saved.tfplan", writes={f"{ENVIRONMENT}/saved.tfplan": PLAN})
        builder.when("gs://bucket/plans/dev/b-1/image", writes={"build/image": IMAGE})
        builder.when("terraform state pull", says='{\n  "version": 4,\n  "serial": 7,\n  "resources": []\n}\n')
        builder.when("gs://bucket/xnovu/dev/image build/image_before", writes={"build/image_before": BEFORE})
        builder.when("terraform output", says=self.FUNCTIONS)
        builder.when("print-identity-token", says=TOKEN)
        builder.when("curl", says="200")
        self.answers(builder)
        self.tries(builder, '{"success":true,"workflowId":null,"runId":null,"dryRun":true}')
        return builder

    def answers(self, builder: Builder, *, build: str = DIGEST, listeners: Sequence[str] = (DIGEST,)) -> None:
        """What `status` says is running; a worker of the build before still drains."""
        processes = [{"component": "listener", "build": each} for each in listeners]
        processes.append({"component": "worker", "build": BEFORE.partition("@")[2]})
        answer = json.dumps({"status": "healthy", "build": build, "processes": processes})
        builder.when("https://status.run/status", says="200", writes={"build/answer": answer})

    def tries(self, builder: Builder, answer: str) -> None:
        """What `trigger` says to the dry run."""
        builder.when("trigger?dryRun=true", says="200", writes={"build/answer": answer})

    def roll_out(self, builder: Builder) -> subprocess.CompletedProcess[str]:
        """All steps; the last one, unless one before it ended the build."""
        given: Callable[[str], dict[str, str]] = lambda step: {  # noqa: E731
            **APPLY_SETTINGS,
            **({"PLAN": "b-1", "PLAN_SHA256": CHECKSUM} if step == "fetch_plan" else {}),
            **({"WITHIN_SECONDS": "0"} if step == "verify" else {}),
        }
        for step in ("fetch_plan", "apply", "verify", "roll_back", "finish"):
            ended = builder.run(step, **given(step))
            assert TOKEN not in ended.stdout + ended.stderr
            if ended.returncode != 0:
                break
        return ended

    def applied(self, builder: Builder) -> list[str]:
        return [call for call in builder.calls if call.startswith("terraform apply")]

    def test_the_saved_plan_is_applied_tried_and_remembered(self, deployment: Builder) -> None:
        ended = self.roll_out(deployment)

        assert ended.returncode == 0, ended.stderr
        assert self.applied(deployment) == ["terraform apply -input=false saved.tfplan"]
        assert deployment.calls[-1] == "gcloud storage cp build/image gs://bucket/xnovu/dev/image"
        asked = [call for call in deployment.calls if call.startswith("curl")]
        assert [call.rpartition(" ")[2] for call in asked] == [
            "https://status.run/status",
            "https://trigger.run/trigger?dryRun=true",
        ]
        assert not any(TOKEN in call for call in deployment.calls), "no process list shows the token"

    @pytest.mark.parametrize("sick", ["https://status.run/status", "trigger?dryRun=true"])
    def test_what_is_not_well_is_rolled_back_and_the_build_fails(self, deployment: Builder, sick: str) -> None:
        deployment.when(sick, says="503")

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert "is not well" in ended.stderr
        assert self.applied(deployment) == [
            "terraform apply -input=false saved.tfplan",
            f"terraform apply -input=false -auto-approve -var image={BEFORE}",
        ]
        assert not any(call.endswith("gs://bucket/xnovu/dev/image") for call in deployment.calls)

    @pytest.mark.parametrize(
        "running",
        [{"build": BEFORE.partition("@")[2]}, {"listeners": [BEFORE.partition("@")[2], DIGEST]}, {"listeners": []}],
    )
    def test_what_is_well_but_of_another_build_does_not_count(
        self, deployment: Builder, running: dict[str, Any]
    ) -> None:
        self.answers(deployment, **running)

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert self.applied(deployment)[-1].endswith(BEFORE)
        assert not any("dryRun" in call for call in deployment.calls)

    def test_a_trigger_that_sends_where_it_should_only_look_is_rolled_back(self, deployment: Builder) -> None:
        self.tries(deployment, '{"success":true,"workflowId":"notification-processing/acme/1","runId":"r"}')

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert self.applied(deployment)[-1].endswith(BEFORE)

    def test_a_plan_that_the_state_has_left_behind_changes_nothing_and_nothing_is_put_back(
        self, deployment: Builder
    ) -> None:
        deployment.when("apply -input=false saved.tfplan", complains="Error: Saved plan is stale\n", ends=1)

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert "was not rolled out" in ended.stderr
        assert self.applied(deployment) == ["terraform apply -input=false saved.tfplan"]

    def test_an_update_that_fails_is_rolled_back_though_the_state_is_as_it_was(self, deployment: Builder) -> None:
        deployment.when("apply -input=false saved.tfplan", complains="Error: Error waiting to update Service\n", ends=1)

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert self.applied(deployment)[-1].endswith(BEFORE)

    def test_a_plan_that_was_exchanged_after_its_approval_is_not_applied(self, deployment: Builder) -> None:
        exchanged = {f"{ENVIRONMENT}/saved.tfplan": "another plan"}
        deployment.when("gs://bucket/plans/dev/b-1/saved.tfplan", writes=exchanged)

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert "is not the plan that was approved" in ended.stderr
        assert self.applied(deployment) == []

    def test_a_state_that_cannot_be_read_ends_the_build_before_anything_is_applied(self, deployment: Builder) -> None:
        deployment.when("terraform state pull", ends=1)

        assert self.roll_out(deployment).returncode != 0
        assert self.applied(deployment) == []

    def test_a_plan_that_applies_in_part_is_rolled_back_without_asking_how_it_is(self, deployment: Builder) -> None:
        deployment.when("apply -input=false saved.tfplan", ends=1, then=("terraform state pull", '  "serial": 8,\n'))

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert self.applied(deployment)[-1].endswith(BEFORE)
        assert not any(call.startswith("curl") for call in deployment.calls)

    def test_the_first_time_there_is_nothing_to_go_back_to(self, deployment: Builder) -> None:
        nothing = (
            "ERROR: (gcloud.storage.cp) The following URLs matched no objects or files:\n-gs://bucket/xnovu/dev/image\n"
        )
        deployment.when("build/image_before", complains=nothing, ends=1)
        deployment.when("https://status.run/status", says="503")

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert len(self.applied(deployment)) == 1

    def test_when_nobody_can_tell_what_ran_before_nothing_is_applied(self, deployment: Builder) -> None:
        deployment.when("build/image_before", complains="ERROR: HTTPError 503: Backend Error\n", ends=1)

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert "503: Backend Error" in ended.stderr
        assert self.applied(deployment) == []

    def test_without_a_dry_run_nothing_counts_as_well(self, deployment: Builder) -> None:
        (deployment.root / ENVIRONMENT / "dry_run.json").unlink()

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert self.applied(deployment)[-1].endswith(BEFORE)

    def test_without_the_plan_nothing_is_applied(self, deployment: Builder) -> None:
        deployment.when("saved.tfplan", ends=1)

        assert self.roll_out(deployment).returncode != 0
        assert self.applied(deployment) == []


def test_a_script_without_a_variable_it_needs_names_it(builder: Builder) -> None:
    ended = builder.run("apply", STATE_BUCKET="bucket")

    assert ended.returncode != 0
    assert "ENVIRONMENT" in ended.stderr


def test_the_fakes_answer_only_where_a_rule_says_so(builder: Builder) -> None:
    assert shutil.which("gcloud", path=str(builder.fakes)) is not None
    builder.when("docker images scan", says="")

    assert builder.run("scan", REGION="europe-west3").returncode != 0, "a scan without a name is none"
