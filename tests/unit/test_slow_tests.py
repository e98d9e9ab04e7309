from tests.slow_tests import table

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" tests="4" time="31.5">
<testcase classname="tests.unit.test_a" name="test_quick" time="0.5" />
<testcase classname="tests.e2e.test_b" name="test_waits[one]" time="10.5" />
<testcase classname="tests.e2e.test_b" name="test_waits_longer" time="20.5"><failure>no</failure></testcase>
<testcase classname="tests.e2e.test_b" name="test_just_quick" time="10.000" />
</testsuite></testsuites>
"""


def test_those_above_ten_seconds_are_listed_the_slowest_first_with_the_sum() -> None:
    assert list(table(REPORT)) == [
        "   20.5 s  tests.e2e.test_b::test_waits_longer",
        "   10.5 s  tests.e2e.test_b::test_waits[one]",
        "   31.0 s  in 2 tests above 10 s",
        "   41.5 s  in all 4 tests, one after the other",
    ]
