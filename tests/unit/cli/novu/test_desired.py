"""What Novu should hold for a row."""

import json
from typing import Any

import pytest

from cli.novu.desired import channels_of_types, desired_workflow, united
from shared.notification.models import Channel
from tests.unit.cli.novu.builders import a_row

ALL = ("EMAIL", "IN_APP", "SMS", "PUSH", "CHAT")


def steps(**columns: Any) -> dict[str, dict[str, Any]]:
    body = desired_workflow(a_row(**columns)).body
    return {step["type"]: step for step in body["steps"]}


def test_the_channels_are_the_defaults_and_those_with_a_template_in_one_order() -> None:
    desired = desired_workflow(a_row(default_channels=["CHAT", "IN_APP", "CHAT"], template_channels=["SMS", "CHAT"]))

    assert desired.channels == (Channel.IN_APP, Channel.SMS, Channel.CHAT)
    assert desired.remarks == ("default channel IN_APP has no template: rows for it fail",)
    assert desired_workflow(a_row()).remarks == ()


def test_every_step_runs_only_where_its_channel_was_rendered() -> None:
    for kind, step in steps(template_channels=list(ALL)).items():
        variable = f"payload.rendered.{kind.upper()}"
        assert step["controlValues"]["skip"] == {"!=": [{"var": variable}, None]}
        assert step["stepId"] == f"xnovu-{kind.replace('_', '-')}"
        assert f"{{{{{variable}.body}}}}" in step["controlValues"]["body"]


def test_an_email_is_html_in_a_frame_with_no_layout_and_never_without_subject() -> None:
    controls = steps()["email"]["controlValues"]

    assert controls["editorType"] == "html"
    assert controls["layoutId"] is None
    assert controls["disableOutputSanitization"] is True
    assert controls["body"] == "<div>{{payload.rendered.EMAIL.body}}</div>"
    assert controls["subject"] == "{{payload.rendered.EMAIL.subject | default: 'Notification'}}"


def test_no_control_holds_a_double_quote_within_a_variable() -> None:
    for step in steps(template_channels=list(ALL)).values():
        texts = [value for value in step["controlValues"].values() if isinstance(value, str)]
        assert not [text for text in texts if '"' in text]


def test_a_fingerprint_follows_what_is_wished_and_nothing_else() -> None:
    plain = desired_workflow(a_row()).fingerprint

    assert desired_workflow(a_row(id=2, applied={"fingerprint": "f", "novu_updated_at": "u"})).fingerprint == plain
    assert desired_workflow(a_row(name="Another")).fingerprint != plain
    assert desired_workflow(a_row(template_channels=["EMAIL", "SMS"])).fingerprint != plain


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"workflow_key": "with space"}, "workflow_key"),
        ({"workflow_key": "a--b"}, "workflow_key"),
        ({"workflow_key": "-a"}, "workflow_key"),
        ({"workflow_key": "a" * 257}, "workflow_key"),
        ({"template_channels": []}, "no channel"),
        ({"default_channels": ["FAX"]}, "default_channels"),
        ({"default_channels": "too many"}, "default_channels"),
        ({"workflow_type": "OTHER"}, "workflow_type"),
    ],
)
def test_what_novu_could_not_hold_is_said(columns: dict[str, Any], said: str) -> None:
    flaw = desired_workflow(a_row(**columns)).flaw

    assert flaw is not None
    assert said in flaw


@pytest.mark.parametrize("key", ["order", "Acme.Order_2-b", "0"])
def test_identifiers_are_novus(key: str) -> None:
    assert desired_workflow(a_row(workflow_key=key)).flaw is None


def test_a_name_is_one_line_within_novus_limit_and_never_empty() -> None:
    assert desired_workflow(a_row(name=" two\nlines ")).body["name"] == "two lines"
    assert len(desired_workflow(a_row(name="n" * 129)).body["name"]) == 128
    assert desired_workflow(a_row(name=" \t")).body["name"] == "acme-order"
    assert len(desired_workflow(a_row(enterprise_id="e" * 300)).body["description"]) == 256


def test_rows_of_one_key_are_united_and_it_is_said() -> None:
    ours = desired_workflow(a_row(template_channels=["SMS"]))
    theirs = desired_workflow(a_row(enterprise_id="globex", template_channels=["EMAIL"]))

    both = united(ours, theirs)

    assert both.channels == (Channel.EMAIL, Channel.SMS)
    assert both.enterprise_ids == ("acme", "globex")
    assert both.remarks == ("several rows have this key (acme, globex): their channels are united",)
    assert json.dumps(both.body)


def test_delays_are_no_channels() -> None:
    assert channels_of_types(["delay", "sms", "email", "sms"]) == (Channel.EMAIL, Channel.SMS)
