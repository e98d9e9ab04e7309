"""What is in infra/terraform."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
TERRAFORM = PROJECT / "infra" / "terraform"

MODULES = tuple(sorted(f"modules/{path.name}" for path in (TERRAFORM / "modules").iterdir() if path.is_dir()))
ENVIRONMENTS = tuple(sorted(path.name for path in (TERRAFORM / "environments").iterdir() if path.is_dir()))
ROOTS = ("bootstrap", "xnovu_app")
FOLDERS = (*MODULES, *ROOTS)
"""Every folder that is a module of Terraform's."""

TESTS = tuple(
    (folder, path.relative_to(TERRAFORM / folder).as_posix())
    for folder in FOLDERS
    for path in sorted((TERRAFORM / folder / "tests").glob("*.tftest.hcl"))
)
"""Every test of Terraform's: its folder, and its path in it."""
