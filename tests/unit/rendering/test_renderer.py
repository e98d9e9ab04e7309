import pytest

from shared.notification.models import Channel, NovuWorkflow, WorkflowType
from shared.notification.outcomes import RefusalCode
from tests.unit.rendering.builders import a_template, refusal, render
from worker.rendering.refusals import RenderRefused
from worker.rendering.renderer import resolve_template


def a_workflow(**references: str) -> NovuWorkflow:
    return NovuWorkflow(
        "order-shipped",
        WorkflowType.DYNAMIC,
        template_references={Channel(name): ref for name, ref in references.items()},
    )


def test_the_payloads_members_are_the_variables() -> None:
    assert render("Hello {{ user.name }}", {"user": {"name": "Ann"}}).body == "Hello Ann"


def test_the_payload_is_there_whole_as_payload() -> None:
    assert render("{{ payload.name }}", {"name": "Ann"}).body == "Ann"


def test_a_payload_member_called_payload_wins() -> None:
    assert render("{{ payload.name }}", {"payload": {"name": "inner"}, "name": "outer"}).body == "inner"


def test_a_payload_member_called_partial_is_not_hidden_by_the_library() -> None:
    assert render("{{ partial }}", {"partial": "mine"}).body == "mine"


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.IN_APP])
def test_values_are_escaped_for_html_channels(channel: Channel) -> None:
    assert render("{{ name }}", {"name": "<b>&"}, channel=channel).body == "&lt;b&gt;&amp;"


def test_values_are_not_escaped_for_text_channels() -> None:
    assert render("{{ name }}", {"name": "Q & A > B"}, channel=Channel.PUSH).body == "Q & A > B"


def test_a_value_marked_safe_is_not_escaped_but_sanitised() -> None:
    assert render("{{ html | safe }}", {"html": "<b>x</b><script>y</script>"}).body == "<b>x</b>"


def test_literals_of_the_template_are_not_escaped() -> None:
    assert render("{{ '<b>' | append: name | append: '</b>' }}", {"name": "<i>"}).body == "<b>&lt;i&gt;</b>"


def test_an_object_is_written_as_json() -> None:
    assert render("{{ a }}", {"a": {"b": [1, None, True]}}, channel=Channel.PUSH).body == '{"b": [1, null, true]}'


def test_subject_templates_are_plain_text_on_one_line() -> None:
    content = render("x", {"name": "A & <b>B</b>\r\nBcc: c"}, subject="Hi {{ name }}")

    assert content.subject == "Hi A & <b>B</b> Bcc: c"


def test_a_leading_subject_line_of_an_email_is_its_subject() -> None:
    content = render("Subject: Order {{ id }} & more\n<p>Body</p>", {"id": "<7>"})

    assert (content.subject, content.body) == ("Order <7> & more", "<p>Body</p>")


def test_a_subject_template_leaves_a_leading_subject_line_in_the_body() -> None:
    content = render("Subject: one\nBody", subject="two")

    assert (content.subject, content.body) == ("two", "Subject: one\nBody")


def test_only_emails_have_a_leading_subject_line() -> None:
    content = render("Subject: one\nBody", channel=Channel.PUSH)

    assert (content.subject, content.body) == (None, "Subject: one\nBody")


def test_a_subject_longer_than_a_header_line_is_refused() -> None:
    refused = refusal("x", subject="s" * 999)

    assert (refused.code, refused.details["limit"]) == (RefusalCode.TEMPLATE_LIMIT_EXCEEDED, "subject_characters")


@pytest.mark.parametrize(
    ("channel", "length"),
    [
        (Channel.EMAIL, 100_000),
        (Channel.IN_APP, 10_000),
        (Channel.SMS, 1_600),
        (Channel.PUSH, 10_000),
        (Channel.CHAT, 10_000),
    ],
)
def test_a_body_may_be_as_long_as_its_channel_allows_and_no_longer(channel: Channel, length: int) -> None:
    assert len(render("x" * length, channel=channel).body) == length
    assert refusal("x" * (length + 1), channel=channel).code == RefusalCode.TEMPLATE_LIMIT_EXCEEDED


def test_byte_limits_count_bytes() -> None:
    assert refusal("é" * 5_001, channel=Channel.IN_APP).details["limit"] == "body_bytes"


def test_an_sms_counts_its_segments() -> None:
    assert render("x" * 161, channel=Channel.SMS).segments == 2
    assert render("x", channel=Channel.PUSH).segments is None


@pytest.mark.parametrize("reference", ["7", "order-mail"])
def test_a_workflow_names_its_template_by_id_or_key(reference: str) -> None:
    template = a_template("x", key="order-mail", row_id=7)

    assert resolve_template(a_workflow(EMAIL=reference), Channel.EMAIL, {"order-mail": template}) is template


def test_a_key_wins_over_an_id() -> None:
    by_key, by_id = a_template("x", key="7", row_id=1), a_template("y", key="other", row_id=7)

    assert resolve_template(a_workflow(EMAIL="7"), Channel.EMAIL, {"other": by_id, "7": by_key}) is by_key


def test_a_template_that_is_not_there_is_refused() -> None:
    with pytest.raises(RenderRefused) as refused:
        resolve_template(a_workflow(EMAIL="gone"), Channel.EMAIL, {})

    assert refused.value.refusal.code == RefusalCode.TEMPLATE_NOT_FOUND
    assert refused.value.refusal.details == {"workflow": "order-shipped", "channel": "EMAIL", "template": "gone"}


def test_a_channel_without_a_template_is_refused() -> None:
    with pytest.raises(RenderRefused) as refused:
        resolve_template(a_workflow(), Channel.SMS, {})

    assert refused.value.refusal.code == RefusalCode.TEMPLATE_NOT_FOUND


def test_a_template_of_another_channel_is_refused() -> None:
    with pytest.raises(RenderRefused) as refused:
        resolve_template(a_workflow(SMS="welcome"), Channel.SMS, {"welcome": a_template("x")})

    assert refused.value.refusal.code == RefusalCode.TEMPLATE_WRONG_CHANNEL
    assert refused.value.refusal.details["template"] == "welcome"
