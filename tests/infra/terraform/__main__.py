"""`infra/terraform/check [tables]`: the checks for people, with terraform's own words where something is wrong."""

import sys

import pytest

from tests.infra.terraform import readmes
from tests.infra.terraform.tree import FOLDERS, PROJECT


def main(arguments: list[str]) -> int:
    """Exit code of the checks; `tables` renews the READMEs' tables instead."""
    if arguments == ["tables"]:
        for folder in FOLDERS:
            readmes.renew(folder)
        return 0
    files = sorted(str(path) for path in (PROJECT / "tests" / "infra").glob("test_terraform*.py"))
    return pytest.main([*files, "-v", "--no-header", *arguments])


sys.exit(main(sys.argv[1:]))
