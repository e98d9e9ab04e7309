"""`infra/terraform/check`: the checks for people, with terraform's own words where something is wrong."""

import sys

import pytest

from tests.infra.terraform import readmes
from tests.infra.terraform.providers import ProvidersUnavailable, find
from tests.infra.terraform.tree import FOLDERS, PROJECT


def main(arguments: list[str]) -> int:
    """Exit code of the checks. `providers` fetches what they need instead, `tables` renews the READMEs' tables."""
    if arguments == ["providers"]:
        return _fetch_providers()
    if arguments == ["tables"]:
        for folder in FOLDERS:
            readmes.renew(folder)
        return 0
    files = sorted(str(path) for path in (PROJECT / "tests" / "infra").glob("test_terraform*.py"))
    return pytest.main([*files, "-v", "--no-header", *arguments])


def _fetch_providers() -> int:
    try:
        found = find()
    except ProvidersUnavailable as unavailable:
        print(f"Terraform is not checked: {unavailable}.")  # noqa: T201
        return 1
    print(f"Terraform is checked with {'the stand-in' if found.is_stand_in else 'the provider'}.")  # noqa: T201
    return 0


sys.exit(main(sys.argv[1:]))
