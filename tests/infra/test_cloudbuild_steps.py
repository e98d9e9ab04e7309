"""The steps of cloudbuild.yaml, from the sources to a plan that waits, each run with fakes on PATH."""

import json
import shutil
from pathlib import Path

import pytest

from tests.infra.cloudbuild.builder import CHECKSUM, DIGEST, ENVIRONMENT, IMAGE, PLAN, Builder


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder.in_folder(tmp_path)


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


def test_the_fakes_answer_only_where_a_rule_says_so(builder: Builder) -> None:
    assert shutil.which("gcloud", path=str(builder.fakes)) is not None
    builder.when("docker images scan", says="")

    assert builder.run("scan", REGION="europe-west3").returncode != 0, "a scan without a name is none"
