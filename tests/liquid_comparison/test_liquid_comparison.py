"""Where our templates answer otherwise than LiquidJS, docs/templates.md says so and why."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.liquid_comparison.corpus import TEMPLATES, VALUES
from tests.liquid_comparison.engines import (
    RECORDED,
    Answers,
    ask_liquidjs,
    our_answers,
    recorded_answers,
    why_liquidjs_cannot_answer,
)

_HERE: Final = Path(__file__).parent
_DOCS: Final = _HERE.parents[1] / "docs" / "templates.md"
_ROW: Final = re.compile(r"\| (?P<id>[a-z-]+) \| (?P<cells>`.+) \| (?P<why>[^|]+) \|")

Case = tuple[str, str]


@pytest.fixture(scope="module")
def liquidjs() -> Answers:
    return recorded_answers()


@pytest.fixture(scope="module")
def ours() -> Answers:
    return our_answers()


def decided() -> dict[str, list[Case]]:
    """The cases of each decision."""
    decisions: dict[str, dict[str, Any]] = yaml.safe_load((_HERE / "decided.yaml").read_text())
    return {
        name: [
            (template, value)
            for template in cases
            for value in (VALUES if cases[template] == "all" else cases[template])
        ]
        for name, cases in decisions.items()
    }


def rows() -> dict[str, list[str]]:
    """The table's rows by the difference they decide: template, value, LiquidJS's answer, ours."""
    found = [match for line in _DOCS.read_text().splitlines() if (match := _ROW.fullmatch(line))]
    return {row["id"]: re.split(r" (?<!\\)\| ", row["cells"]) for row in found}


def as_in_the_table(text: str | None) -> str:
    if not text:
        return "refused" if text is None else "nothing"
    return "`" + text.replace("\n", "\\n").replace("|", "\\|") + "`"


def test_the_corpus_is_recorded_whole(liquidjs: Answers) -> None:
    assert set(liquidjs) == set(TEMPLATES)
    assert all(set(answers) == set(VALUES) for answers in liquidjs.values())
    assert len(TEMPLATES) * len(VALUES) > 2_000


def test_every_difference_is_decided_and_every_decision_is_one(liquidjs: Answers, ours: Answers) -> None:
    differences = {
        (t, v): (liquidjs[t][v], ours[t][v]) for t in TEMPLATES for v in VALUES if liquidjs[t][v] != ours[t][v]
    }
    cases = [case for cases in decided().values() for case in cases]

    assert {case: answers for case, answers in differences.items() if case not in cases} == {}
    assert [case for case in cases if case not in differences] == []
    assert len(cases) == len(set(cases))


def test_every_decision_has_its_row_and_its_example_is_true(liquidjs: Answers, ours: Answers) -> None:
    decisions, table = decided(), rows()
    values = {as_in_the_table(json.dumps(value)): name for name, value in VALUES.items()}

    assert set(table) == set(decisions)
    for name, (template, value, theirs, here) in table.items():
        written = template.strip("`").replace("\\|", "|")
        assert (written, values[value]) in decisions[name]
        assert theirs == as_in_the_table(liquidjs[written][values[value]])
        assert here == as_in_the_table(ours[written][values[value]])


def test_liquidjs_still_answers_what_is_recorded() -> None:
    if absent := why_liquidjs_cannot_answer():
        pytest.skip(absent)

    assert ask_liquidjs() == RECORDED.read_text()
