"""docs/security.md names, for every threat, a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<threat>[^|]+) \| (?P<actors>[A-Z, ]+) \| (?P<defence>[^|]+) \| (?P<tests>[^|]+) \|$")
NAMED = re.compile(r"`(?P<file>tests/[\w/]+\.py)(?:::(?P<name>\w+))?`")


def test_every_threat_names_tests_that_exist() -> None:
    rows = [match for line in (ROOT / "docs/security.md").read_text().splitlines() if (match := ROW.match(line))]

    for row in rows:
        named = list(NAMED.finditer(row["tests"]))
        assert named, f"no test for: {row['threat']}"
        for test in named:
            path = ROOT / test["file"]
            assert path.is_file(), f"{path} does not exist"
            assert not test["name"] or f"def {test['name']}(" in path.read_text(), f"{path} has no {test['name']}"
