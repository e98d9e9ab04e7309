from dataclasses import replace
from typing import Any

import pytest

from shared.notification.models import Channel, SecondTry
from shared.notification.outcomes import RefusalCode
from shared.notification.recipients import ERASED
from tests.unit.worker.builders import DYNAMIC, STATIC, a_notification, recipients
from worker.activities.preparation import channels_of, find_refusal, trigger_events, unsent_calls
from worker.rendering.renderer import RenderedContent


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"expired": True}, RefusalCode.EXPIRED),
        ({"workflow": None}, RefusalCode.WORKFLOW_NOT_FOUND),
        ({"recipients": ()}, RefusalCode.INVALID_RECIPIENTS),
        ({"recipients": ("ada", " ")}, RefusalCode.INVALID_RECIPIENTS),
        ({"recipients": ("ada", None)}, RefusalCode.INVALID_RECIPIENTS),
        ({"recipients": ("ada", "u 1")}, RefusalCode.INVALID_RECIPIENTS),
        ({"recipients": ("ada", "u/1?x=2")}, RefusalCode.INVALID_RECIPIENTS),
        ({"payload": ["not", "an", "object"]}, RefusalCode.PAYLOAD_INVALID),
        ({"overrides": "nor this"}, RefusalCode.PAYLOAD_INVALID),
        ({"overrides": {"email": {"headers": {"X-Tag": "a\r\nBcc: b@example.org"}}}}, RefusalCode.PAYLOAD_INVALID),
        ({"workflow": DYNAMIC, "channels": ()}, RefusalCode.TEMPLATE_NOT_FOUND),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_code(fields: dict[str, Any], code: RefusalCode) -> None:
    refusal = find_refusal(a_notification(**fields))

    assert refusal is not None
    assert refusal.code is code


def test_a_refusal_says_where_and_quotes_nothing() -> None:
    zanzibar = "zanzibar on sea"
    for fields, details in (
        ({"recipients": ("ada", zanzibar)}, {"recipients": [1]}),
        ({"overrides": {"email": {"headers": {zanzibar: "a\nb"}}}}, {"member": "overrides.email.headers.*"}),
    ):
        refusal = find_refusal(a_notification(**fields))

        assert refusal is not None
        assert refusal.details == details
        assert zanzibar not in str(refusal)


def test_a_channel_that_novu_s_workflow_lacks_is_refused_by_the_command_that_mends_it() -> None:
    applied = replace(DYNAMIC, novu_channels=frozenset({Channel.EMAIL, Channel.IN_APP}))

    refusal = find_refusal(a_notification(workflow=applied, channels=(Channel.EMAIL, Channel.SMS, Channel.PUSH)))

    assert refusal is not None
    assert refusal.code is RefusalCode.CHANNEL_NOT_IN_NOVU
    assert "xnovu novu apply" in refusal.message
    assert refusal.details == {"workflow": "receipt", "channels": ["SMS", "PUSH"]}


@pytest.mark.parametrize(
    ("known", "channels"),
    [
        (None, (Channel.EMAIL, Channel.SMS)),
        (frozenset({Channel.EMAIL}), (Channel.EMAIL,)),
    ],
)
def test_nothing_is_refused_of_what_novu_has_or_nobody_knows(
    known: frozenset[Channel] | None, channels: tuple[Channel, ...]
) -> None:
    assert find_refusal(a_notification(workflow=replace(DYNAMIC, novu_channels=known), channels=channels)) is None


def test_nothing_goes_to_who_was_erased_and_the_others_keep_their_chunks() -> None:
    people = list(recipients(201))
    for place in (1, 2, 201):
        people[place - 1] = f"{ERASED}{place:012}"

    events = trigger_events(a_notification(recipients=tuple(people)), STATIC, {})

    assert [event.chunk for event in events] == [0, 1]
    assert list(events[0].recipients) == people[2:100]
    assert list(events[1].recipients) == people[100:200]


def test_a_row_for_nobody_but_the_erased_is_refused() -> None:
    refusal = find_refusal(a_notification(recipients=(f"{ERASED}{1:012}",)))

    assert refusal is not None
    assert refusal.code is RefusalCode.INVALID_RECIPIENTS


def test_a_static_notification_passes_its_payload_through() -> None:
    notification = a_notification(payload={"order": 7}, overrides={"email": {"from": "a@example.com"}})

    (event,) = trigger_events(notification, STATIC, {})

    assert event.payload == {"order": 7}
    assert event.overrides == {"email": {"from": "a@example.com"}}
    assert event.novu_workflow_key == "welcome"


def test_a_dynamic_notification_carries_the_rendered_content_beside_its_payload() -> None:
    rendered = {
        Channel.EMAIL: RenderedContent(subject="Receipt", body="<p>7</p>"),
        Channel.SMS: RenderedContent(subject=None, body="7"),
    }

    (event,) = trigger_events(a_notification(payload={"order": 7}), DYNAMIC, rendered)

    assert event.payload == {
        "order": 7,
        "rendered": {"EMAIL": {"subject": "Receipt", "body": "<p>7</p>"}, "SMS": {"body": "7"}},
    }


def test_a_repeated_recipient_is_sent_to_once() -> None:
    (event,) = trigger_events(a_notification(recipients=("ada", "bob", "ada")), STATIC, {})

    assert event.recipients == ("ada", "bob")


def test_chunks_that_novu_has_accepted_are_not_sent_again() -> None:
    notification = a_notification(recipients=recipients(250), chunks_sent=2)

    (event,) = trigger_events(notification, STATIC, {})

    assert event.transaction_id == "xnovu.42.2"
    assert event.recipients == recipients(250)[200:]


def test_a_notification_s_own_channels_win_over_its_workflow_s_defaults() -> None:
    assert channels_of(a_notification(channels=(Channel.SMS, Channel.SMS)), DYNAMIC) == (Channel.SMS,)


def test_a_payload_member_that_collides_is_refused_by_name() -> None:
    refusal = find_refusal(a_notification(workflow=STATIC, payload={"step": "secret"}))

    assert refusal is not None
    assert (refusal.code, refusal.details) == (RefusalCode.PAYLOAD_INVALID, {"member": "payload.step"})
    assert "secret" not in refusal.message


def test_an_id_of_another_form_goes_out_where_the_project_says_so_and_else_the_setting_is_named() -> None:
    notification = a_notification(recipients=("auth0|123",))

    refusal = find_refusal(notification)

    assert find_refusal(notification, any_subscriber_id=True) is None
    assert refusal is not None
    assert "NOVU_SUBSCRIBER_IDS=any" in refusal.message
    assert "auth0" not in refusal.message


def test_a_second_try_is_an_event_for_each_channel_that_failed_under_ids_of_its_own() -> None:
    everybody = recipients(250)
    notification = a_notification(
        workflow=DYNAMIC,
        channels=(Channel.EMAIL, Channel.SMS, Channel.IN_APP),
        recipients=everybody,
        chunks_sent=3,
        second_try=SecondTry(2, 3, ((Channel.EMAIL, everybody[:101]), (Channel.SMS, everybody[7:8]))),
    )
    rendered = {channel: RenderedContent(None, channel.value) for channel in (Channel.EMAIL, Channel.SMS)}

    events = trigger_events(notification, DYNAMIC, rendered)

    assert channels_of(notification, DYNAMIC) == (Channel.EMAIL, Channel.SMS)
    assert find_refusal(notification) is None
    assert [(event.transaction_id, event.chunk, list(event.payload["rendered"])) for event in events] == [
        ("xnovu.42.0.2", 3, ["EMAIL"]),
        ("xnovu.42.1.2", 4, ["EMAIL"]),
        ("xnovu.42.2.2", 5, ["SMS"]),
    ]
    assert [event.recipients for event in events] == [everybody[:100], everybody[100:101], everybody[7:8]]


def test_a_second_try_goes_on_where_novu_has_some_of_it() -> None:
    everybody = recipients(250)
    notification = a_notification(
        recipients=everybody,
        chunks_sent=4,
        chunks_beyond=frozenset({5}),
        second_try=SecondTry(1, 3, ((None, everybody),)),
    )

    events = trigger_events(notification, STATIC, {})

    # Of 3, 4 and 5 the first and the last are with Novu.
    assert [(event.transaction_id, event.chunk) for event in events] == [("xnovu.42.1.1", 4)]
    assert find_refusal(replace(notification, chunks_sent=7)) is not None


def test_a_second_try_in_every_channel_renders_what_the_row_asks_for() -> None:
    notification = a_notification(
        workflow=DYNAMIC,
        channels=(Channel.EMAIL, Channel.SMS),
        second_try=SecondTry(1, 1, ((None, ("ada",)),)),
        chunks_sent=1,
    )
    rendered = {channel: RenderedContent(None, channel.value) for channel in (Channel.EMAIL, Channel.SMS)}

    (event,) = trigger_events(notification, DYNAMIC, rendered)

    assert channels_of(notification, DYNAMIC) == (Channel.EMAIL, Channel.SMS)
    assert list(event.payload["rendered"]) == ["EMAIL", "SMS"]


@pytest.mark.parametrize("recipients", [None, 7, "ada", [None], [{"a": 1}], [["ada"]]])
def test_of_a_row_whose_recipients_are_no_texts_there_is_nothing_to_ask(recipients: Any) -> None:
    assert unsent_calls(a_notification(recipients=recipients)) == []
