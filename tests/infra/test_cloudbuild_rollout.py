"""The steps of infra/cloudbuild/apply.yaml, from a saved plan to what runs, each run with fakes on PATH."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.infra.cloudbuild.builder import BEFORE, DIGEST, ENVIRONMENT, IMAGE, PLAN, ROOT, STEPS_SHA256, TOKEN, Builder


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder.in_folder(tmp_path)


POOL = "projects/project/locations/europe-west3/workerPools/xnovu-dev-worker"
APPLY_SETTINGS = {"ENVIRONMENT": "dev", "STATE_BUCKET": "bucket"}


class TestApply:
    FUNCTIONS = json.dumps({"status": {"uri": "https://status.run"}, "trigger": {"uri": "https://trigger.run"}})

    @pytest.fixture
    def deployment(self, builder: Builder) -> Builder:
        """Rolled out before, healthy, and with a plan that applies."""
        builder.write(f"{ENVIRONMENT}/dry_run.json", "{}")
        (builder.root / ROOT).mkdir(parents=True)
        kept = {"saved.tfplan": PLAN, "terraform.lock.hcl": "", "image": IMAGE, "scaled_pools.json": json.dumps([POOL])}
        kept["kept.tfvars.json"] = "{}"
        for name, content in {**kept, "revision": "c0ffee\n"}.items():
            builder.keep(f"gs://bucket/plans/dev/b-1/{name}", content)
        builder.keep("gs://bucket/xnovu/dev/image", BEFORE)
        builder.when("terraform state pull", says='{\n  "version": 4,\n  "serial": 7,\n  "resources": []\n}\n')
        builder.when("terraform output", says=self.FUNCTIONS)
        builder.when("terraform output -json deploy_job", says="null")
        builder.when("print-identity-token", says=TOKEN)
        builder.when("curl", says="200")
        self.has_workers(builder, 7)
        self.answers(builder)
        self.tries(builder, '{"success":true,"workflowId":null,"runId":null,"dryRun":true}')
        return builder

    def has_workers(self, builder: Builder, number: int) -> None:
        """What the scaler has set at Google."""
        answer = json.dumps({"scaling": {"scalingMode": "MANUAL", "manualInstanceCount": number}})
        builder.when(f"https://run.googleapis.com/v2/{POOL}", says="200", writes={"build/answer": answer})

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
            **({"PLAN": "b-1", "REVISION": "c0ffee", "STEPS_SHA256": STEPS_SHA256} if step == "fetch_plan" else {}),
            **({"WITHIN_SECONDS": "0"} if step == "verify" else {}),
        }
        for step in (
            "fetch_plan",
            "count_workers",
            "apply",
            "restore_workers",
            "verify",
            "deploy",
            "roll_back",
            "finish",
        ):
            ended = builder.run(step, **given(step))
            assert TOKEN not in ended.stdout + ended.stderr
            if ended.returncode != 0:
                break
        return ended

    def applied(self, builder: Builder) -> list[str]:
        found = [call for call in builder.calls if call.startswith("terraform apply")]
        files = "-var-file=../environments/dev/values.tfvars -var-file=/build/kept.tfvars.json "
        return [call.replace(str(builder.root), "").replace(files, "") for call in found]

    def test_the_saved_plan_is_applied_tried_and_remembered(self, deployment: Builder) -> None:
        ended = self.roll_out(deployment)

        assert ended.returncode == 0, ended.stderr
        assert self.applied(deployment) == ["terraform apply -input=false /build/saved.tfplan"]
        assert deployment.kept("gs://bucket/xnovu/dev/image") == IMAGE
        assert deployment.kept(f"gs://bucket/xnovu/dev/tested/{DIGEST.removeprefix('sha256:')}") == IMAGE
        asked = [call for call in deployment.calls if call.startswith("curl") and ".run/" in call]
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
            "terraform apply -input=false /build/saved.tfplan",
            f"terraform apply -input=false -auto-approve -var image={BEFORE}",
        ]
        assert deployment.kept("gs://bucket/xnovu/dev/image") == BEFORE

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
        deployment.when(f"apply -input=false {deployment.root}", complains="Error: Saved plan is stale\n", ends=1)

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert "was not rolled out" in ended.stderr
        assert self.applied(deployment) == ["terraform apply -input=false /build/saved.tfplan"]

    def test_an_update_that_fails_is_rolled_back_though_the_state_is_as_it_was(self, deployment: Builder) -> None:
        deployment.when(
            f"apply -input=false {deployment.root}", complains="Error: Error waiting to update Service\n", ends=1
        )

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert self.applied(deployment)[-1].endswith(BEFORE)

    def test_the_scaler_keeps_its_number_of_workers(self, deployment: Builder) -> None:
        """A saved plan has the number of when it was made, and Terraform sends all of the pool."""
        self.roll_out(deployment)

        asked = [call for call in deployment.calls if POOL in call]
        applied = deployment.calls.index(next(call for call in deployment.calls if call.startswith("terraform apply")))
        assert deployment.calls.index(asked[0]) < applied < deployment.calls.index(asked[1])
        assert "--request PATCH" in asked[1]
        assert '{"scaling": {"manualInstanceCount": 7}}' in asked[1]
        assert asked[1].endswith(f"{POOL}?updateMask=scaling.manualInstanceCount")

    def test_what_is_not_well_is_given_no_work(self, deployment: Builder) -> None:
        deployment.when("terraform output -json deploy_job", says='"projects/p/locations/l/jobs/xnovu-dev-deploy"')
        deployment.when("https://status.run/status", says="503")

        assert self.roll_out(deployment).returncode != 0
        assert not any("jobs execute" in call for call in deployment.calls)

    def test_a_pool_that_is_not_there_yet_has_no_number(self, deployment: Builder) -> None:
        deployment.when(POOL, says="404")

        assert self.roll_out(deployment).returncode == 0
        assert not any("PATCH" in call for call in deployment.calls)

    def test_steps_that_the_trigger_was_not_made_of_are_not_run(self, deployment: Builder) -> None:
        deployment.write("infra/cloudbuild/apply.yaml", "steps: []\n")

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert "apply infra/terraform/bootstrap from that commit" in ended.stderr
        assert self.applied(deployment) == []

    def test_a_plan_of_another_commit_is_not_applied(self, deployment: Builder) -> None:
        deployment.keep("gs://bucket/plans/dev/b-1/revision", "decaf\n")

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert "is of decaf, not of c0ffee, which was approved" in ended.stderr
        assert self.applied(deployment) == []

    def test_a_state_that_cannot_be_read_ends_the_build_before_anything_is_applied(self, deployment: Builder) -> None:
        deployment.when("terraform state pull", ends=1)

        assert self.roll_out(deployment).returncode != 0
        assert self.applied(deployment) == []

    def test_a_plan_that_applies_in_part_is_rolled_back_without_asking_how_it_is(self, deployment: Builder) -> None:
        deployment.when(
            f"apply -input=false {deployment.root}", ends=1, then=("terraform state pull", '  "serial": 8,\n')
        )

        ended = self.roll_out(deployment)

        assert ended.returncode != 0
        assert self.applied(deployment)[-1].endswith(BEFORE)
        assert not any(".run/" in call for call in deployment.calls)

    def test_the_first_time_there_is_nothing_to_go_back_to(self, deployment: Builder) -> None:
        (deployment.fakes / "buckets" / "bucket" / "xnovu" / "dev" / "image").unlink()
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
        (deployment.fakes / "buckets" / "bucket" / "plans" / "dev" / "b-1" / "saved.tfplan").unlink()

        assert self.roll_out(deployment).returncode != 0
        assert self.applied(deployment) == []


def test_a_script_without_a_variable_it_needs_names_it(builder: Builder) -> None:
    ended = builder.run("apply", STATE_BUCKET="bucket")

    assert ended.returncode != 0
    assert "ENVIRONMENT" in ended.stderr
