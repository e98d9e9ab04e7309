"""infra/cloudbuild/apply with the real terraform: what it says of a plan that fails."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

APPLY = Path(__file__).parents[2] / "infra" / "cloudbuild" / "apply"

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")

CONFIGURATION = """
variable "image" {
  type = string
}

variable "fails" {
  type    = bool
  default = false
}

resource "terraform_data" "first" {
  input = var.image
}

resource "terraform_data" "second" {
  triggers_replace = terraform_data.first.output

  provisioner "local-exec" {
    command = var.fails ? "exit 1" : "exit 0"
  }
}

output "functions" {
  value = { image = terraform_data.first.output }
}
"""


class Deployment:
    """An environment that needs no cloud; its state is a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "infra" / "terraform" / "xnovu_app"
        self.folder.mkdir(parents=True)
        (root / "build").mkdir()
        (self.folder / "main.tf").write_text(CONFIGURATION)
        self._environment = {**os.environ, "TF_IN_AUTOMATION": "1"}
        self._terraform("init", "-input=false")

    def plan(self, image: str, *, fails: bool = False) -> bytes:
        variables = [f"-var=image={image}", f"-var=fails={str(fails).lower()}"]
        self._terraform("plan", "-input=false", "-out=saved.tfplan", *variables)
        return (self.folder / "saved.tfplan").read_bytes()

    def apply(self, plan: bytes) -> str:
        """Run the step; how it says that it went."""
        (self.root / "build" / "saved.tfplan").write_bytes(plan)
        given = {**self._environment, "ENVIRONMENT": "dev", "STATE_BUCKET": "none"}
        ended = subprocess.run([str(APPLY)], cwd=self.root, env=given, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return (self.root / "build" / "applied").read_text().strip()

    def _terraform(self, *arguments: str) -> None:
        command = ["terraform", *arguments]
        ended = subprocess.run(command, cwd=self.folder, env=self._environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def test_a_plan_that_applies_is_told_as_whole_and_its_functions_are_named(deployment: Deployment) -> None:
    assert deployment.apply(deployment.plan("one")) == "whole"

    assert '"one"' in (deployment.root / "build" / "functions.json").read_text()


def test_a_plan_that_the_state_has_left_behind_is_told_as_refused(deployment: Deployment) -> None:
    older, newer = deployment.plan("one"), deployment.plan("two")
    assert deployment.apply(newer) == "whole"

    assert deployment.apply(older) == "refused"


def test_a_plan_that_fails_on_the_way_is_told_as_in_part(deployment: Deployment) -> None:
    assert deployment.apply(deployment.plan("one")) == "whole"

    assert deployment.apply(deployment.plan("two", fails=True)) == "in_part"


def test_a_first_plan_that_fails_on_the_way_is_told_as_in_part(deployment: Deployment) -> None:
    assert deployment.apply(deployment.plan("one", fails=True)) == "in_part"
