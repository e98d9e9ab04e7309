"""The steps of cloudbuild.yaml, from the sources to a plan that waits, each run with fakes on PATH."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from tests.infra.cloudbuild.builder import DIGEST, ENVIRONMENT, IMAGE, NAME, PLAN, ROOT, SCRIPTS, Builder


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder.in_folder(tmp_path)


CACHE = "europe-west3-docker.pkg.dev/project/xnovu-cache/layers"
BUILD_SETTINGS = {"IMAGE": NAME, "CACHE": CACHE, "REVISION": "c0ffee"}
OF_THE_COMMIT = {"IMAGE": NAME, "REVISION": "c0ffee"}


class TestImage:
    @pytest.fixture(autouse=True)
    def sources(self, builder: Builder) -> None:
        (builder.root / "build" / "image").unlink()
        builder.when("git log -1 --format=%ct", says="1795000000\n")

    def test_a_commit_is_built_once_and_its_image_taken_from_then_on(self, builder: Builder) -> None:
        assert builder.run("find_image", **OF_THE_COMMIT).returncode == 0
        assert builder.run("build", **BUILD_SETTINGS).returncode == 0
        first = builder.read("build/image")

        assert builder.run("find_image", **OF_THE_COMMIT).returncode == 0
        assert builder.run("build", **BUILD_SETTINGS).returncode == 0

        assert builder.read("build/image") == first
        assert first.startswith(f"{NAME}@sha256:")
        assert len([call for call in builder.calls if "buildx build" in call]) == 1

    def test_a_registry_that_does_not_answer_is_no_image_that_is_not_there(self, builder: Builder) -> None:
        builder.when("/manifests/", says="503")

        ended = builder.run("find_image", **OF_THE_COMMIT)

        assert ended.returncode != 0
        assert "answered 503" in ended.stderr

    def test_the_cache_that_bootstrap_names_is_one_that_the_registry_takes(self, builder: Builder) -> None:
        outputs = (SCRIPTS.parent / "terraform" / "modules" / "registry" / "outputs.tf").read_text()
        made = re.search(r'output "cache".*?value += "([^"]+)"', outputs, re.DOTALL)
        assert made is not None
        cache = re.sub(r"\$\{[^}]+repository_id\}", "xnovu-cache", made[1])
        cache = cache.replace("${var.region}", "europe-west3").replace("${var.project_id}", "project")

        ended = builder.run("build", **{**BUILD_SETTINGS, "CACHE": cache})

        assert ended.returncode == 0, ended.stderr


class TestBuild:
    @pytest.fixture(autouse=True)
    def nothing_built(self, builder: Builder) -> None:
        (builder.root / "build" / "image").unlink()

    def test_the_image_is_named_by_its_digest(self, builder: Builder) -> None:
        metadata = json.dumps({"containerimage.digest": DIGEST, "image.name": "x"}, indent=2)
        builder.when("buildx build", writes={"build/metadata.json": metadata})

        assert builder.run("build", **BUILD_SETTINGS).returncode == 0

        assert builder.read("build/image") == IMAGE
        (built,) = [call for call in builder.calls if "buildx build" in call]
        for wanted in ("--provenance mode=max", "--sbom true", f"--cache-from type=registry,ref={CACHE}", "--push"):
            assert wanted in built
        assert "SOURCE_DATE_EPOCH=1795000000" in built

    def test_without_a_digest_there_is_no_image(self, builder: Builder) -> None:
        builder.when("buildx build", writes={"build/metadata.json": "{}"})

        ended = builder.run("build", **BUILD_SETTINGS)

        assert ended.returncode != 0
        assert "no digest" in ended.stderr
        assert not (builder.root / "build" / "image").exists()

    def test_a_build_that_fails_ends_the_step(self, builder: Builder) -> None:
        builder.when("buildx build", ends=1)

        assert builder.run("build", **BUILD_SETTINGS).returncode != 0


def test_every_folder_of_terraform_is_checked_and_one_failure_is_enough(builder: Builder) -> None:
    folders = ["bootstrap", "xnovu_app", "modules/worker_pool"]
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


@pytest.mark.parametrize(
    ("region", "place"),
    [
        ("us-central1", "us"),
        ("northamerica-northeast1", "us"),
        ("southamerica-east1", "us"),
        ("europe-west3", "europe"),
        ("me-west1", "europe"),
        ("africa-south1", "europe"),
        ("asia-east1", "asia"),
        ("australia-southeast1", "asia"),
    ],
)
def test_google_scans_in_three_places_only(builder: Builder, region: str, place: str) -> None:
    builder.when("docker images scan", says="projects/p/locations/l/scans/1")

    assert builder.run("scan", REGION=region).returncode == 0
    assert f"--location={place} " in builder.calls[0]


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


class TestSucceeded:
    SETTINGS: ClassVar = {
        "SUCCEEDED": "t-check t-build",
        "REGION": "europe-west3",
        "REVISION": "c0ffee",
        "EVERY_SECONDS": "0",
    }

    def test_tests_and_build_of_the_commit_are_waited_for(self, builder: Builder) -> None:
        builder.when("buildTriggerId=t-check AND substitutions.COMMIT_SHA=c0ffee", says="FAILURE\nSUCCESS\n")
        builder.when("buildTriggerId=t-build", says="WORKING\n", then=("buildTriggerId=t-build", "SUCCESS\n"))

        ended = builder.run("succeeded", **self.SETTINGS)

        assert ended.returncode == 0, ended.stderr
        assert len([call for call in builder.calls if "t-build" in call]) == 2

    def test_what_has_failed_is_not_planned(self, builder: Builder) -> None:
        builder.when("buildTriggerId=t-check", says="FAILURE\nCANCELLED\n")

        ended = builder.run("succeeded", **self.SETTINGS)

        assert ended.returncode != 0
        assert "has not passed the trigger t-check: CANCELLED FAILURE" in ended.stderr

    def test_what_never_begins_is_not_waited_for_for_ever(self, builder: Builder) -> None:
        ended = builder.run("succeeded", **self.SETTINGS, WITHIN_SECONDS="0")

        assert ended.returncode != 0
        assert "in time" in ended.stderr


class TestTested:
    SETTINGS: ClassVar = {"TESTED": "gs://other/xnovu/staging/tested", "REVISION": "c0ffee"}

    def test_what_staging_has_passed_is_what_production_takes(self, builder: Builder) -> None:
        builder.keep(f"gs://other/xnovu/staging/tested/{DIGEST.removeprefix('sha256:')}", IMAGE)

        assert builder.run("tested", **self.SETTINGS).returncode == 0

    def test_what_it_has_not_is_refused(self, builder: Builder) -> None:
        ended = builder.run("tested", **self.SETTINGS)

        assert ended.returncode != 0
        assert "has not passed gs://other/xnovu/staging/tested: roll it out there" in ended.stderr

    def test_a_commit_without_an_image_is_refused(self, builder: Builder) -> None:
        (builder.root / "build" / "image").unlink()

        assert builder.run("tested", TESTED="none", REVISION="c0ffee").returncode != 0


class TestSecrets:
    @pytest.fixture(autouse=True)
    def planned(self, builder: Builder) -> None:
        reference = {"secret_key_ref": [{"secret": "xnovu-dev-novu-secret-key", "version": "3"}]}
        plan = {
            "variables": {"project_id": {"value": "project"}},
            "planned_values": {"env": [{"value_source": [reference]}]},
        }
        builder.write("build/saved.json", json.dumps(plan))

    def test_enabled_versions_pass(self, builder: Builder) -> None:
        builder.when("versions describe 3 --secret=xnovu-dev-novu-secret-key --project=project", says="enabled\n")

        ended = builder.run("secrets")

        assert ended.returncode == 0, ended.stderr

    def test_a_disabled_version_is_refused(self, builder: Builder) -> None:
        builder.when("versions describe 3", says="disabled\n")

        ended = builder.run("secrets")

        assert ended.returncode != 0
        assert "version 3 of xnovu-dev-novu-secret-key is disabled: enable it" in ended.stderr


PLAN_SETTINGS = {"ENVIRONMENT": "dev", "STATE_BUCKET": "bucket"}
PLANNER = (
    ("run.services.get", ""),
    ("storage.objects.list", ""),
    ("storage.objects.create", "plans/dev/"),
    ("storage.objects.get", "plans/dev/"),
    ("storage.objects.get", "xnovu/dev/"),
    ("storage.objects.create", "xnovu/dev/default.tflock"),
    ("storage.objects.delete", "xnovu/dev/default.tflock"),
)
KEPT = (
    "saved.tfplan",
    "saved.txt",
    "terraform.lock.hcl",
    "image",
    "scaled_pools.json",
    "kept.tfvars.json",
    "revision",
    "sources.tgz",
)


class TestPlan:
    def keep(self, builder: Builder, build: str = "b-1") -> subprocess.CompletedProcess[str]:
        return builder.run("keep_plan", **PLAN_SETTINGS, BUILD_ID=build, REVISION="c0ffee")

    @pytest.fixture
    def planned(self, builder: Builder) -> Builder:
        builder.write(f"{ENVIRONMENT}/values.tfvars", "")
        builder.write(f"{ENVIRONMENT}/dry_run.json", "{}")
        builder.write(f"{ROOT}/.terraform.lock.hcl", "")
        builder.when("terraform plan", writes={str(builder.root / "build" / "saved.tfplan"): PLAN})
        builder.when("git archive", writes={"build/sources.tgz": "sources"})
        return builder

    def test_the_plan_is_of_the_image_by_digest_and_kept_for_whoever_applies_it(self, planned: Builder) -> None:
        # A planner may create there and look, as gcloud does before it writes; it may overwrite nothing.
        planned.grant(*PLANNER)

        ended = planned.run("plan", **PLAN_SETTINGS)
        kept = self.keep(planned)

        assert ended.returncode == 0, ended.stderr
        assert kept.returncode == 0, kept.stderr
        (call,) = [call for call in planned.calls if call.startswith("terraform plan")]
        values = f"-var-file=../environments/dev/values.tfvars -var-file={planned.root}/build/kept.tfvars.json"
        assert call.endswith(f"{values} -var image={IMAGE}")
        assert planned.kept("gs://bucket/plans/dev/b-1/saved.tfplan") == PLAN
        assert all(planned.kept(f"gs://bucket/plans/dev/b-1/{each}") is not None for each in KEPT)
        assert "git archive --format=tar.gz --output=build/sources.tgz c0ffee" in planned.calls
        assert not any("builds triggers run" in call for call in planned.calls), "no account may start a build"

    def test_a_plan_that_was_kept_cannot_be_exchanged(self, planned: Builder) -> None:
        planned.grant(*PLANNER)
        planned.run("plan", **PLAN_SETTINGS)
        assert self.keep(planned).returncode == 0

        assert self.keep(planned).returncode != 0
        assert self.keep(planned, "b-2").returncode == 0, "a retry is another build"

    def test_without_values_somebody_is_told(self, builder: Builder) -> None:
        ended = builder.run("plan", **PLAN_SETTINGS)

        assert ended.returncode != 0
        assert "values.tfvars is missing: copy example.tfvars" in ended.stderr

    def test_without_a_dry_run_nothing_is_planned(self, builder: Builder) -> None:
        builder.write(f"{ENVIRONMENT}/values.tfvars", "")

        ended = builder.run("plan", **PLAN_SETTINGS)

        assert ended.returncode != 0
        assert "dry_run.json is missing: copy infra/cloudbuild/dry_run.example.json" in ended.stderr
        assert builder.calls == []

    def test_a_plan_that_fails_ends_the_step(self, planned: Builder) -> None:
        planned.when("terraform plan", ends=1)

        assert planned.run("plan", **PLAN_SETTINGS).returncode != 0


class TestKeepBuilds:
    POOLS = "projects/p/locations/l/workerPools/xnovu-dev-worker-"

    def keeps(self, builder: Builder, counts: Mapping[str, str], **builds: Mapping[str, object]) -> list[str]:
        """What stays of these builds, by what Google says of each pool."""
        told = {f"{self.POOLS}{name}": {"image": name, "is_current": False, **build} for name, build in builds.items()}
        builder.write("build/outputs.json", json.dumps({"worker_builds": {"value": told}} if builds else {}))
        for name, status in counts.items():
            answer = {"scaling": {"manualInstanceCount": int(status)} if status != "0" else {}}
            builder.when(
                f"{self.POOLS}{name}",
                says=status if status in ("404", "503") else "200",
                writes={"build/answer": json.dumps(answer)},
            )
        ended = builder.run("keep_builds")
        assert ended.returncode == 0, ended.stderr
        found: list[str] = json.loads(builder.read("build/kept.tfvars.json"))["kept_worker_builds"]
        return found

    def test_a_build_goes_once_the_scaler_has_left_it_nobody(self, builder: Builder) -> None:
        scaled = {"empties": True}

        kept = self.keeps(
            builder,
            {"a": "0", "b": "3", "c": "0", "d": "404"},
            a={**scaled, "is_current": True},
            b=scaled,
            c=scaled,
            d=scaled,
        )

        assert kept == ["a", "b"]

    def test_where_no_function_scales_every_build_stays(self, builder: Builder) -> None:
        assert self.keeps(builder, {}, a={"empties": False}, b={"empties": False}) == ["a", "b"]

    def test_without_versions_there_is_nothing_to_keep(self, builder: Builder) -> None:
        assert self.keeps(builder, {}) == []

    def test_without_an_answer_nothing_is_planned(self, builder: Builder) -> None:
        with pytest.raises(AssertionError, match="keep_builds: 503 for"):
            self.keeps(builder, {"a": "503"}, a={"empties": True})


def test_the_fakes_answer_only_where_a_rule_says_so(builder: Builder) -> None:
    assert shutil.which("gcloud", path=str(builder.fakes)) is not None
    builder.when("docker images scan", says="")

    assert builder.run("scan", REGION="europe-west3").returncode != 0, "a scan without a name is none"
