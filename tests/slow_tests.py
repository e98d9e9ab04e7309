"""`make test-slow`: the tests that took more than ten seconds in the last `make test`, and all that it took."""

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

LAST_RUN = Path("build/tests.xml")
"""What `make test` leaves behind, in JUnit's format."""

SLOW_SECONDS = 10.0


def table(report: str) -> Iterator[str]:
    """The slowest first: seconds with what the test waited for to be made and taken away, and its name."""
    tests = [
        (float(case.get("time", "0")), f"{case.get('classname')}::{case.get('name')}")
        for case in ElementTree.fromstring(report).iter("testcase")
    ]
    slow = sorted((test for test in tests if test[0] > SLOW_SECONDS), reverse=True)
    for seconds, name in slow:
        yield f"{seconds:7.1f} s  {name}"
    yield f"{sum(seconds for seconds, _ in slow):7.1f} s  in {len(slow)} tests above {SLOW_SECONDS:.0f} s"
    yield f"{sum(seconds for seconds, _ in tests):7.1f} s  in all {len(tests)} tests, one after the other"


if __name__ == "__main__":
    if not LAST_RUN.exists():
        sys.exit(f"There is no {LAST_RUN}: run `make test` first.")
    sys.stdout.writelines(f"{line}\n" for line in table(LAST_RUN.read_text(encoding="utf-8")))
