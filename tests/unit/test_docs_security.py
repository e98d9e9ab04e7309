"""docs/security.md names, for every threat, a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<threat>[^|]+) \| (?P<actors>[A-Z, ]+) \| (?P<defence>[^|]+) \| (?P<tests>[^|]+) \|$")
ATTACK = re.compile(r"^\| (?P<number>\d+) \| (?P<threat>[^|]+) \| (?P<tests>[^|]+) \|$")
ATTACKS = [number for number in range(1, 27) if number != 25]
NAMED = re.compile(r"`(?P<file>tests/[\w/]+\.py)(?:::(?P<name>\w+))?`")


def rows(pattern: re.Pattern[str]) -> list[re.Match[str]]:
    lines = (ROOT / "docs/security.md").read_text().splitlines()
    return [match for line in lines if (match := pattern.match(line))]


def test_every_threat_names_tests_that_exist() -> None:
    threats = rows(ROW)

    assert len(threats) > 70
    for row in threats:
        require_tests(row)


def test_every_attack_that_got_through_names_the_test_that_repeats_it() -> None:
    attacks = rows(ATTACK)

    assert [int(row["number"]) for row in attacks] == ATTACKS
    for row in attacks:
        require_tests(row)


def require_tests(row: re.Match[str]) -> None:
    named = list(NAMED.finditer(row["tests"]))
    assert named, f"no test for: {row['threat']}"
    for test in named:
        path = ROOT / test["file"]
        assert path.is_file(), f"{path} does not exist"
        assert not test["name"] or f"def {test['name']}(" in path.read_text(), f"{path} has no {test['name']}"
