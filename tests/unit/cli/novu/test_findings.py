"""What is wrong at Novu that no request can mend."""

from cli.novu.findings import find_in_document, integration_findings
from shared.notification.models import Channel


def test_each_issue_of_a_control_is_a_line_and_integrations_are_told_elsewhere() -> None:
    issue = {"issueType": "TIER_LIMIT_EXCEEDED", "message": "Too long"}
    integration = {"integration": {"email": [{"issueType": "MISSING_INTEGRATION", "message": "none"}]}}
    steps = [
        {"stepId": "a", "issues": {"controls": {"body": [issue, issue]}, **integration}},
        {"stepId": "b", "issues": None},
    ]

    found = list(find_in_document({"workflowId": "w", "steps": steps}))

    assert [(one.key, one.message) for one in found] == [("w", "step a, body: TIER_LIMIT_EXCEEDED, Too long")] * 2
    assert "plan" in found[0].hint


def test_a_channel_needs_an_active_integration_and_email_and_sms_a_primary_one() -> None:
    active = [
        {"channel": "email", "primary": False},
        {"channel": "sms", "primary": True},
        {"channel": "push", "primary": False},
    ]
    channels = {Channel.EMAIL: 3, Channel.SMS: 1, Channel.PUSH: 1, Channel.CHAT: 2}

    messages = [one.message for one in integration_findings("Development", channels, active)]

    assert messages == [
        "Development has no primary integration for EMAIL, which 3 workflows need",
        "Development has no active integration for CHAT, which 2 workflows need",
    ]
