import pytest

from shared.notification.models import Channel
from worker.rendering.removals import Removal, removals


def told(channel: Channel, text: str) -> list[tuple[int, str]]:
    return [(removal.line, removal.what) for removal in removals(channel, text, text)]


@pytest.mark.parametrize(
    ("markup", "removed"),
    [
        ("<p>a</p>\n\n<script>x</script>", [(3, "<script> and what is in it")]),
        ("<form><b>a</b></form>", [(1, "<form>; what is in it stays")]),
        ("<p>\n<a onclick=x href=/a>a</a>", [(2, "attribute onclick of <a>")]),
        ("<a href='java&#9;script:x'>a</a>", [(1, "href of <a>: java\tscript:x")]),
        ("<img src=data:image/svg+xml,x><img src=https://x.y/a.png>", [(1, "src of <img>: data:image/svg+xml,x")]),
        ("<p style='color:red; Position:fixed'>a</p>", [(1, "style of <p>: position: fixed")]),
        ("<html lang=de><head><meta charset=utf-8></head><body>a", [(1, "<meta>; what is in it stays")]),
        ("<a target=_blank rel=noopener href=https://x.y>a</a><!-- b -->", []),
    ],
)
def test_what_an_email_loses_is_told_with_its_line(markup: str, removed: list[tuple[int, str]]) -> None:
    assert told(Channel.EMAIL, markup) == removed


def test_an_in_app_message_tells_classes_and_elements() -> None:
    assert told(Channel.IN_APP, '<p class="card">a</p><p class="card fixed">b</p><table>c</table>') == [
        (1, "class of <p>: card fixed"),
        (1, "<table>; what is in it stays"),
    ]


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH, Channel.CHAT])
def test_a_text_channel_tells_the_templates_own_tags_and_not_what_values_hold(channel: Channel) -> None:
    source = '{% if a %}\n{{ "<i>" | append: a }} <b>x</b>{% endif %} 1 < 2 > 1'

    assert [removal.what for removal in removals(channel, source, "written")] == [
        "<b>: this channel carries text",
        "</b>: this channel carries text",
    ]
    assert removals(channel, source, "written")[0].line == 2


def test_each_removal_is_told_once_and_fifty_at_most() -> None:
    assert told(Channel.EMAIL, "<form>" * 3) == [(1, "<form>; what is in it stays")]
    assert len(removals(Channel.EMAIL, "", "\n<form>" * 80)) == 50
    assert removals(Channel.EMAIL, "", "\n<form>")[0] == Removal(2, "<form>; what is in it stays")
