"""Which HTML elements and attributes each channel may carry."""

import re
from typing import Final


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_BOX: Final = names("align valign width height bgcolor")

EMAIL_TAGS: Final = names(
    """a abbr address b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em
    figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark ol p pre q s samp section
    small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"""
)

EMAIL_ATTRIBUTES: Final = {
    "*": names("style class id title lang dir role align hidden"),
    "a": names("href name"),
    "col": names("span width"),
    "colgroup": names("span width"),
    "font": names("color face size"),
    "hr": names("color noshade size width"),
    "img": names("src alt width height border hspace vspace"),
    "li": names("value type"),
    "ol": names("start type reversed"),
    "table": _BOX | names("border cellpadding cellspacing summary"),
    "tbody": _BOX,
    "td": _BOX | names("colspan rowspan headers nowrap"),
    "tfoot": _BOX,
    "th": _BOX | names("colspan rowspan headers nowrap scope"),
    "thead": _BOX,
    "time": names("datetime"),
    "tr": _BOX,
    "ul": names("type"),
}

IN_APP_TAGS: Final = names("p br strong b em i span div h3 h4 h5 h6 ul ol li a code pre")

IN_APP_ATTRIBUTES: Final = {"*": names("class hidden"), "a": names("href")}

NEVER_SHOWN: Final = names("datalist iframe noembed noframes script style svg template title")
"""Elements that go with their content, which nobody would have seen as text. That of a video is for those
who have none, and stays.
"""

_OVERLAY_CLASS: Final = re.compile(
    r"""fixed|absolute|sticky|stretched-link|[wh]-screen|min-[wh]-screen|.*overlay.*|-.*
    |(?:fixed|absolute|sticky|position|inset|start|end|top|bottom|left|right|z|translate|v[wh]|min-v[wh])-.*
    |(?:modal|offcanvas)(?:-.*)?""",
    re.VERBOSE,
)
_CLASS: Final = re.compile(r"(?:[\w-]+:)*(?P<name>[\w-]+)")


def without_overlay_classes(classes: str) -> str:
    """The class names but those by which the host's style sheet could lay a message over the page around it, as far as
    names tell: Tailwind's and Bootstrap's, and what is usual.
    """
    named = ((it, _CLASS.fullmatch(it)) for it in classes.split())
    return " ".join(it for it, found in named if found and not _OVERLAY_CLASS.fullmatch(found["name"].lower()))


CLOSED_BY_OTHERS: Final = names(
    """area base br col dd dt embed hr img input li link meta option p param source tbody td tfoot th thead tr track
    wbr"""
)
"""Elements that HTML lets authors leave open, or that have no end."""
