import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.rendering.budget import LimitExceeded
from worker.rendering.html_sanitizing import sanitize_email, sanitize_inapp
from worker.rendering.inline_style import clean_style

EXTERNAL = ' target="_blank" rel="noopener noreferrer"'


@pytest.mark.parametrize(
    "markup",
    [
        "<h1>a</h1><p>b <strong>c</strong></p>",
        "<ul><li>a</li></ul><ol><li>b</li></ol>",
        '<table width="100%"><tbody><tr><td align="left" colspan="2">a</td></tr></tbody></table>',
        '<img src="https://x.y/z.png" alt="a" width="10">',
        '<img src="data:image/png;base64,iVBORw0KGgo=">',
        '<p style="color: #333; font-family: &quot;Arial&quot;, sans-serif">a</p>',
        '<a href="mailto:a@b.c">a</a><a href="tel:+123">b</a>',
    ],
)
def test_an_email_keeps_ordinary_document_markup(markup: str) -> None:
    assert sanitize_email(markup) == markup


@pytest.mark.parametrize(
    ("hostile", "clean"),
    [
        ("a<script>alert(1)</script>b", "ab"),
        ("<p onclick=alert(1)>a</p>", "<p>a</p>"),
        ("<img src=x onerror=alert(1)>", '<img src="x">'),
        ("<a href='javascript:alert(1)'>a</a>", "<a>a</a>"),
        ("<a href=' java\nscript:alert(1)'>a</a>", "<a>a</a>"),
        ("<a href='&#106;avascript:alert(1)'>a</a>", "<a>a</a>"),
        ("<a href='vbscript:x'>a</a>", "<a>a</a>"),
        ("<a href='data:text/html,x'>a</a>", "<a>a</a>"),
        ("<a href='da\tta:text/html,x'>a</a>", "<a>a</a>"),
        ("<img src='data:text/html;base64,xxxx'>", "<img>"),
        ("<img src='data:image/svg+xml;base64,xxxx'>", "<img>"),
        ("<style>p{}</style><link href=x><meta http-equiv=refresh>a", "a"),
        ("<iframe src=x></iframe><object></object><embed>a", "a"),
        ("<form action=x><input><button>a</button></form>", "a"),
        ("<svg><script>alert(1)</script></svg>a", "a"),
        ("<html><head><title>Order 7</title></head><body><p>x</p></body></html>", "<p>x</p>"),
        ("<head><template>t</template><noframes>t</noframes></head>a<iframe>t</iframe>", "a"),
        ("a<datalist><option>t</option></datalist><svg><title>t</title><text>t</text></svg>b", "ab"),
        ("<video src=x>watch it <a href=/v>here</a></video>", 'watch it <a href="/v">here</a>'),
        ("<p hidden>a</p>", '<p hidden="">a</p>'),
        ("<!-- [if mso]>x<![endif]-->a", "a"),
        ("<p style='width:expression(alert(1))'>a</p>", "<p>a</p>"),
        ("<p style='color:red;background:url(javascript:alert(1))'>a</p>", '<p style="color: red">a</p>'),
    ],
)
def test_an_email_loses_what_is_not_document_markup(hostile: str, clean: str) -> None:
    assert sanitize_email(hostile) == clean


@pytest.mark.parametrize("href", ["https://x.y", "http://x.y", "//x.y", "HTTPS://x.y", " https://x.y", "\\\\x.y"])
def test_external_links_open_elsewhere_without_a_way_back(href: str) -> None:
    assert EXTERNAL in sanitize_email(f'<a href="{href}" target=_top rel=opener>a</a>')


@pytest.mark.parametrize("href", ["mailto:a@b.c", "tel:1", "#top", "/path"])
def test_other_links_stay_in_their_window(href: str) -> None:
    assert sanitize_email(f'<a href="{href}">a</a>') == f'<a href="{href}">a</a>'


@pytest.mark.parametrize(
    ("href", "written"),
    [
        ("/&#9;/evil", "//evil"),
        ("h&#9;ttp://evil", "http://evil"),
        ("&#10;/&#13;&#10;\\\\evil", "/\\\\evil"),
        ("&#1;&#32;https://evil", "https://evil"),
        ("&#0;//evil", "\ufffd//evil"),
    ],
)
@pytest.mark.parametrize("sanitize", [sanitize_email, sanitize_inapp])
def test_an_address_is_read_as_browsers_read_it(sanitize: Callable[[str], str], href: str, written: str) -> None:
    external = "" if written.startswith("\ufffd") else EXTERNAL

    assert sanitize(f'<a href="{href}">a</a>') == f'<a href="{written}"{external}>a</a>'


@pytest.mark.parametrize(
    ("shell", "opening"),
    [
        ("<html lang=ar><body dir=rtl>", '<div lang="ar" dir="rtl">'),
        (
            "<HTML LANG='he' class=c onclick=x><head><!-- <body dir=ltr> --></head><body\nDIR=\"rtl\">",
            '<div lang="he" dir="rtl">',
        ),
        ('<body bgcolor=f4f4f4 style="margin:0">', '<div style="background-color: #f4f4f4; margin: 0">'),
        ("<body style='color:red;position:fixed'>", '<div style="color: red">'),
        ("<html style=color:red><body style=color:blue>", '<div style="color: red; color: blue">'),
        ("<body bgcolor=red style=background:blue>", '<div style="background-color: red; background: blue">'),
        ('<body bgcolor="expression(x)" dir="&quot;&gt;&lt;script&gt;x">', '<div dir="&quot;&gt;&lt;script&gt;x">'),
        ("<html><body class=x>", ""),
        ("<body dir='rtl", ""),
    ],
)
def test_what_a_documents_shell_says_stays_around_its_content(shell: str, opening: str) -> None:
    content = "<p>a</p>" if shell.endswith(">") else ""

    assert sanitize_email(shell + content) == opening + content + ("</div>" if opening else "")


def test_a_drawing_of_many_shapes_goes_and_the_mail_is_sent() -> None:
    drawing = '<svg width="29">' + '<rect x="1" y="2"/>' * 151 + "<SVG viewBox='0'><path d='M0'/></SVG></svg>"

    assert sanitize_email(f"<p>Scan:</p>{drawing}<svg/><p>Thanks</p></svg>") == "<p>Scan:</p><p>Thanks</p>"


def test_a_drawing_without_an_end_is_no_way_around_the_limits() -> None:
    with pytest.raises(LimitExceeded, match="html_nesting"):
        sanitize_email("<svg>" + "<g>" * 151 + "<p>x")


@pytest.mark.parametrize("character", ["&", "\u00a0", "&a", "&nbsp;"])
@pytest.mark.parametrize("sanitize", [sanitize_email, sanitize_inapp])
def test_what_costs_the_parser_by_its_square_is_refused_unparsed(
    sanitize: Callable[[str], str], character: str
) -> None:
    assert sanitize(character * 10_000)

    with pytest.raises(LimitExceeded, match="html_escapes"):
        sanitize(f"<p title='{character * 199_000}'>x")


def test_an_in_app_message_keeps_classes_but_those_that_lay_it_over_the_page() -> None:
    kept = "card md:p-4 text-left z header-top toast-body"

    assert sanitize_inapp(
        f'<div class="{kept} fixed md:fixed inset-0 -m-8 z-50 [position:fixed] modal-open">a</div>'
    ) == (f'<div class="{kept}">a</div>')


def test_text_that_looks_like_an_anchor_is_left_alone() -> None:
    assert sanitize_email('&lt;a href="https://x"&gt;') == '&lt;a href="https://x"&gt;'


def test_an_in_app_message_keeps_its_small_markup() -> None:
    markup = '<p class="a">b <em>c</em></p><h3>d</h3><ul><li>e</li></ul><pre><code>f</code></pre>'

    assert sanitize_inapp(markup) == markup


@pytest.mark.parametrize(
    ("rich", "clean"),
    [
        ("<h1>a</h1><h2>b</h2>", "ab"),
        ("<p style='color:red' id=x>a</p>", "<p>a</p>"),
        ("<img src=https://x.y>a", "a"),
        ("<a href='tel:1'>a</a>", "<a>a</a>"),
        ("<a href='mailto:a@b.c'>a</a>", '<a href="mailto:a@b.c">a</a>'),
        ("<a href='https://x.y'>a</a>", f'<a href="https://x.y"{EXTERNAL}>a</a>'),
        ("<script>x</script><b onclick=x>a</b>", "<b>a</b>"),
    ],
)
def test_an_in_app_message_loses_all_else(rich: str, clean: str) -> None:
    assert sanitize_inapp(rich) == clean


@pytest.mark.parametrize(
    ("style", "clean"),
    [
        ("color:red;;  margin : 0  auto", "color: red; margin: 0 auto"),
        ("background:url('https://x.y/a.png') no-repeat", "background: url('https://x.y/a.png') no-repeat"),
        ("background:url(data:image/png;base64,xx)", ""),
        ("background:url(//x.y)", ""),
        ("background:URL( javascript:alert(1) )", ""),
        ("width:exp/**/ression(alert(1))", ""),
        ("width:\\65xpression(alert(1))", ""),
        ("behavior:url(x.htc);color:red", "color: red"),
        ("-moz-binding:url(https://x.y)", ""),
        ("@import 'x';color:red", "color: red"),
        ("color:red}</style><script>", ""),
        ("font-family:'a;b';color:red", "font-family: 'a;b'; color: red"),
        ("content:'x';color:red", "color: red"),
        ("background:image-set('//x' 1x);color:red", "color: red"),
        ("background:-webkit-image-set('https://x.y/a' 1x)", ""),
        ("background:src('//x');border-image:cross-fade(url(https://x.y), red)", ""),
        ("position:fixed;inset:0;top:0;z-index:9;color:red", "color: red"),
        ("position:absolute;transform:translate(-50%,-50%);width:100vw", "width: 100vw"),
        ("box-shadow:0 0 0 9999px red;outline:99em solid;text-shadow:1px 1px #000000", "text-shadow: 1px 1px #000000"),
        ("margin-top:-900px;margin-left:-1px", "margin-left: -1px"),
        ("--x:1;color:var(--x);color:rgba(0,0,0,.5)", "color: rgba(0,0,0,.5)"),
        (
            "background-image:linear-gradient(90deg, #fff 0%, #000)",
            "background-image: linear-gradient(90deg, #fff 0%, #000)",
        ),
        (
            "mso-line-height-rule:exactly;-ms-text-size-adjust:100%",
            "mso-line-height-rule: exactly; -ms-text-size-adjust: 100%",
        ),
        ("display:none!important;max-height:0", "display: none!important; max-height: 0"),
        ("background:url(https://x.y);color:calc(1 + (2))", "background: url(https://x.y); color: calc(1 + (2))"),
        ("color", ""),
    ],
)
def test_inline_style_keeps_what_can_only_style(style: str, clean: str) -> None:
    assert clean_style(style) == clean


FRAGMENTS = st.sampled_from(
    r"""
    <script>|</script>|<p>|</p>|<b>|</b>|<a href="https://x.y">|</a>|<a href="javascript:alert(1)">
    <img src=x onerror=y>|<table>|<tr>|<td>|</table>|<svg>|<math>|<style>|</style>|<!--|-->|<![CDATA[|]]>
    <p style="x:expression(y)">|&lt;|&amp;|&#106;|&#x6a;|javascript:|data:|"|'|>|<|/|=| on|onload=
    <html lang=x>|<body dir=rtl bgcolor=red>|</body>|<title>|</title>|</svg>|<rect/>|<video>|<p hidden>
    <i class="fixed z-1 a">|<svg/>|<a href="/&#9;/x">
    <h3 class="c">|<ul>|<li>|<textarea>|<noscript>|<template>|<select>|<form>|<iframe src=x>
    <p style="background:url(data:x)">|é|<b id=x>|<font color=red>|<a name=x>|<xmp>|</p/>
    """.strip()
    .replace("\n", "|")
    .split("|")
)
HTML = st.lists(FRAGMENTS | st.text(max_size=5), max_size=25).map("".join)
DANGEROUS = re.compile(
    r"<\s*(script|style|iframe|svg|math|form|object|template|noscript)|<[^>]*\son\w+\s*=|"
    r"<[^>]*(href|src|style)=\"[^\"]*(javascript|vbscript|expression\()",
    re.IGNORECASE,
)


@given(HTML)
def test_no_script_or_handler_survives_in_an_email(html: str) -> None:
    assert not DANGEROUS.search(sanitize_email(html))


@given(HTML)
def test_no_script_or_handler_survives_in_an_in_app_message(html: str) -> None:
    assert not DANGEROUS.search(sanitize_inapp(html))


@given(HTML)
def test_sanitising_an_email_again_changes_nothing(html: str) -> None:
    once = sanitize_email(html)

    assert sanitize_email(once) == once


@given(HTML)
def test_sanitising_an_in_app_message_again_changes_nothing(html: str) -> None:
    once = sanitize_inapp(html)

    assert sanitize_inapp(once) == once


@given(st.text(alphabet="abcurl():;'\"/\\* -#\n@expression,data:httpsjvt.", max_size=60))
def test_cleaning_a_style_again_changes_nothing_and_leaves_no_code(style: str) -> None:
    once = clean_style(style)

    assert clean_style(once) == once
    assert not re.search(r"expression|javascript|@import|\\|data:", once)
