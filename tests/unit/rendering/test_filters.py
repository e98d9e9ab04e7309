import pytest

from shared.notification.models import Channel
from tests.unit.rendering.builders import render


def rendered(template: str, value: object, channel: Channel = Channel.EMAIL) -> str:
    return render(template, {"value": value}, channel=channel).body


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{{ value | upcase }}", "a", "A"),
        ("{{ value | replace: 'a', 'b' }}", "aXa", "bXb"),
        ("{{ value | split: ',' | join: '-' }}", "a,b", "a-b"),
        ("{{ value | split: '' | size }}", "abc", "3"),
        ("{{ value | times: 2 | plus: 1 }}", 20, "41"),
        ("{{ value | divided_by: 2.0 }}", 5, "2.5"),
        ("{{ value | map: 'n' | uniq | sort | join }}", [{"n": 2}, {"n": 1}, {"n": 2}], "1 2"),
        ("{{ value | where: 'n', 1 | size }}", [{"n": 2}, {"n": 1}], "1"),
        ("{{ value | first }}{{ value.last }}{{ value.size }}", [1, 2], "122"),
        ("{{ (1..3) | reverse | join: ',' }}", None, "3,2,1"),
        ("{{ value | default: 'x' }}", "", "x"),
        ("{{ value | default: 'x' }}", None, "x"),
        ("{{ value | default: 'x' }}", False, "x"),
        ("{{ value | default: 'x', allow_false: true }}", False, "false"),
        ("{{ value | default: 'x' }}", 0, "0"),
        ("{{ value | json }}", {"a": [1, "ü", None]}, '{"a": [1, "ü", null]}'),
        ("{{ value | strip_html }}", "<p>a &amp; b</p><script>x</script>", "a & b"),
        ("{{ value | html_to_text }}", "<h1>T</h1><p>a<br>b</p><ul><li>c</li><li>d</li></ul>", "T\na\nb\n- c\n- d"),
        ("{{ value | extract_subject }}", "Subject: Hi &amp; <b>you</b>\nBody", "Hi & you"),
        ("[{{ value | extract_subject }}]", "Body", "[]"),
        ("{{ value | sanitize_sms }}", "“Hi”\n\n <b>you</b>", '"Hi"\nyou'),
    ],
)
def test_filters_in_text(template: str, value: object, text: str) -> None:
    assert rendered(template, value, Channel.PUSH) == text


@pytest.mark.parametrize(
    ("template", "value", "html"),
    [
        ("{{ value | markdown_to_html }}", "**b** [l](https://x.y)\n", '<p><strong>b</strong> <a href="https://x.y" '),
        ("{{ value | markdown_to_html }}", "<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("{{ value | markdown_to_html }}", "[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("{{ value | sanitize_email }}", "<b onclick=x>b</b>", "<b>b</b>"),
        ("{{ value | sanitize_inapp }}", "<table><tr><td>b</table>", "b"),
        ("{{ value | newline_to_br }}", "<\n>", "&lt;<br>\n&gt;"),
        ("{{ value | json }}", {"a": "<b>"}, '{"a": "&lt;b&gt;"}'),
        ("{{ value | strip_html }}", "a &lt;b&gt; c", "a &lt;b&gt; c"),
    ],
)
def test_filters_in_html(template: str, value: object, html: str) -> None:
    assert rendered(template, value).startswith(html)
