"""infra/cloudbuild/plan with the real terraform: the build that has the work keeps its pool."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"
PLAN = INFRA / "cloudbuild" / "plan"
OLD, NEW = "r/x@sha256:" + "a" * 64, "r/x@sha256:" + "b" * 64

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")

# Names are those of xnovu_app/worker.tf; that a module is around it makes no difference to the step.
ENVIRONMENT = """
variable "image" { type = string }

variable "worker_builds" {
  type    = list(string)
  default = []
}

variable "worker_versioning" {
  type    = bool
  default = true
}

module "xnovu_app" {
  source = "./app"

  image             = var.image
  worker_builds     = var.worker_builds
  worker_versioning = var.worker_versioning
}

output "current_worker_pool" {
  value = module.xnovu_app.current_worker_pool
}
"""
APP = """
variable "image" { type = string }
variable "worker_builds" { type = list(string) }
variable "worker_versioning" { type = bool }

locals {
  build  = { for image in concat([var.image], var.worker_builds) : image => substr(split("sha256:", image)[1], 0, 12) }
  builds = [for build in values(local.build) : "xnovu-dev-worker-${build}"]
}

module "worker" {
  source   = "./pool"
  for_each = toset(var.worker_versioning ? local.builds : ["xnovu-dev-worker"])
}

output "current_worker_pool" {
  value = var.worker_versioning ? "xnovu-dev-worker-${local.build[var.image]}" : "xnovu-dev-worker"
}
"""
POOL = """
resource "terraform_data" "main" {}
"""


class Checkout:
    """An environment that needs no cloud, in which a first build runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "infra" / "terraform" / "xnovu_app"
        self.environment = root / "infra" / "terraform" / "environments" / "dev"
        self.environment.mkdir(parents=True)
        (self.folder / "app" / "pool").mkdir(parents=True)
        (root / "build").mkdir()
        (self.folder / "main.tf").write_text(ENVIRONMENT)
        (self.folder / "app" / "main.tf").write_text(APP)
        (self.folder / "app" / "pool" / "main.tf").write_text(POOL)
        (self.environment / "dry_run.json").write_text("{}")

    def values(self, *lines: str) -> None:
        (self.environment / "values.tfvars").write_text("\n".join([*lines, ""]))

    def plan(self, image: str) -> subprocess.CompletedProcess[str]:
        (self.root / "build" / "image").write_text(image + "\n")
        given = {**os.environ, "ENVIRONMENT": "dev", "STATE_BUCKET": "none"}
        return subprocess.run([str(PLAN)], cwd=self.root, env=given, capture_output=True, text=True, timeout=60)

    def apply(self) -> None:
        command = ["terraform", "apply", "-input=false", str(self.root / "build" / "saved.tfplan")]
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """The old build was planned, the first time, and runs."""
    made = Checkout(tmp_path)
    made.values()
    first = made.plan(OLD)
    assert first.returncode == 0, first.stderr
    made.apply()
    return made


def test_the_names_here_are_those_of_the_real_environments() -> None:
    root = INFRA / "terraform" / "xnovu_app"
    assert 'module "worker" {' in (root / "worker.tf").read_text()
    assert '"${local.worker_name}-${substr(split("sha256:", image)[1], 0, 12)}"' in (root / "worker.tf").read_text()
    assert 'output "current_worker_pool" {' in (root / "outputs.tf").read_text()


def test_a_plan_that_takes_away_the_build_that_has_the_work_is_refused(checkout: Checkout) -> None:
    ended = checkout.plan(NEW)

    assert ended.returncode == 1
    assert "it takes away xnovu-dev-worker-aaaaaaaaaaaa, whose build has the work: add that image" in ended.stderr


def test_a_plan_that_keeps_it_is_kept_and_so_is_one_that_takes_away_a_drained_build(checkout: Checkout) -> None:
    checkout.values(f'worker_builds = ["{OLD}"]')

    assert checkout.plan(NEW).returncode == 0

    checkout.apply()
    checkout.values()
    assert checkout.plan(NEW).returncode == 0
    assert 'module.worker["xnovu-dev-worker-aaaaaaaaaaaa"]' in (checkout.root / "build" / "saved.txt").read_text()


def test_switching_versions_off_is_no_new_build(checkout: Checkout) -> None:
    checkout.values("worker_versioning = false")

    ended = checkout.plan(NEW)

    assert ended.returncode == 0, ended.stderr
