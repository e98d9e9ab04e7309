"""What differs between a workflow as it should be and as Novu has it."""

from copy import deepcopy
from typing import Any

import pytest

from cli.novu.desired import desired_workflow
from cli.novu.diff import Change, differences, put_body
from tests.unit.cli.novu.builders import a_row

DESIRED = desired_workflow(a_row(template_channels=["EMAIL", "SMS"])).body


def observed(**members: Any) -> dict[str, Any]:
    """As Novu would show it, with what is its own."""
    document = deepcopy({"workflowId": "acme-order", "_id": "w", "status": "ACTIVE", **DESIRED, **members})
    for number, step in enumerate(document["steps"]):
        step.setdefault("_id", f"s{number}")
        step["issues"] = {}
    return document


def test_what_is_as_it_should_be_has_no_difference() -> None:
    assert differences(DESIRED, observed()) == []


def test_control_values_are_found_in_either_place() -> None:
    document = observed()
    for step in document["steps"]:
        step["controls"] = {"values": step.pop("controlValues")}

    assert differences(DESIRED, document) == []


def test_what_we_do_not_decide_is_no_difference_and_stays() -> None:
    document = observed(tags=["news", "xnovu"], preferences={"user": {"all": {"enabled": False}}, "default": {"a": 1}})
    document["steps"][0]["controlValues"]["from"] = {"name": "Acme"}

    assert differences(DESIRED, document) == []
    body = put_body(DESIRED, document)
    assert body["tags"] == ["news", "xnovu"]
    assert body["preferences"] == {"user": {"all": {"enabled": False}}, "workflow": {"a": 1}}
    assert body["steps"][0]["controlValues"]["from"] == {"name": "Acme"}
    assert [step["_id"] for step in body["steps"]] == ["s0", "s1"]


@pytest.mark.parametrize(
    ("members", "change"),
    [
        ({"name": "Other"}, Change("name", "Other", "Acme's order")),
        ({"active": False}, Change("active", False, True)),
        ({"validatePayload": True}, Change("validatePayload", True, False)),
        ({"tags": ["news"]}, Change("tags", ["news"], ["news", "xnovu"])),
        ({"tags": None}, Change("tags", [], ["xnovu"])),
    ],
)
def test_each_member_of_ours_is_a_change_by_its_path(members: dict[str, Any], change: Change) -> None:
    assert differences(DESIRED, observed(**members)) == [change]


def test_steps_are_compared_by_their_id() -> None:
    email, sms = (deepcopy(step) for step in DESIRED["steps"])
    delay = {"stepId": "wait", "name": "Wait", "type": "delay", "controlValues": {}}
    sms["controlValues"]["body"] = "edited"
    sms["name"] = "Text"

    changes = differences(DESIRED, observed(steps=[delay, sms]))

    assert changes == [
        Change("steps.xnovu-email", None, "email"),
        Change("steps.xnovu-sms.name", "Text", "SMS"),
        Change("steps.xnovu-sms.controlValues.body", "edited", "{{payload.rendered.SMS.body}}"),
        Change("steps.wait", "delay", None),
    ]
    assert differences(DESIRED, observed(steps=[sms | {"name": "SMS", **DESIRED["steps"][1]}, email])) == [
        Change("steps", ["xnovu-sms", "xnovu-email"], ["xnovu-email", "xnovu-sms"])
    ]


def test_a_missing_condition_is_a_difference() -> None:
    document = observed()
    del document["steps"][1]["controlValues"]["skip"]

    [change] = differences(DESIRED, document)

    assert (change.path, change.before) == ("steps.xnovu-sms.controlValues.skip", None)


def test_a_workflow_that_is_taken_over_keeps_its_steps_and_none_of_their_controls() -> None:
    theirs = {"subject": "{{payload.title}}", "body": "Hello", "from": {"name": "Acme"}}
    steps = [
        {"_id": "x", "stepId": "first", "name": "E", "type": "email", "controlValues": theirs},
        {"_id": "y", "stepId": "second", "name": "E", "type": "email", "controlValues": theirs},
    ]
    document = observed(tags=["news"], steps=steps)

    paths = {change.path: change.after for change in differences(DESIRED, document)}
    [email, sms] = put_body(DESIRED, document)["steps"]

    assert paths["tags"] == ["news", "xnovu"]
    assert paths["steps.first.name"] == "Email"
    assert paths["steps.first.controlValues.from"] is None
    assert paths["steps.second"] is None
    assert paths["steps.xnovu-sms"] == "sms"
    assert (email["_id"], email["stepId"], "_id" in sms) == ("x", "first", False)
    assert email["controlValues"] == DESIRED["steps"][0]["controlValues"]
    saved = observed(tags=["news", "xnovu"], steps=[{**email}, {**sms, "_id": "z"}])
    assert differences(DESIRED, saved) == []


def test_a_step_of_another_type_is_made_anew() -> None:
    document = observed()
    document["steps"][1]["type"] = "chat"

    assert "_id" not in put_body(DESIRED, document)["steps"][1]
