"""Which HTML elements and attributes each channel may carry."""

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BOX: Final = _names("align valign width height bgcolor")

EMAIL_TAGS: Final = _names(
    """a abbr address b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em
    figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark ol p pre q s samp section
    small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"""
)

EMAIL_ATTRIBUTES: Final = {
    "*": _names("style class id title lang dir role align"),
    "a": _names("href name"),
    "col": _names("span width"),
    "colgroup": _names("span width"),
    "font": _names("color face size"),
    "hr": _names("color noshade size width"),
    "img": _names("src alt width height border hspace vspace"),
    "li": _names("value type"),
    "ol": _names("start type reversed"),
    "table": _BOX | _names("border cellpadding cellspacing summary"),
    "tbody": _BOX,
    "td": _BOX | _names("colspan rowspan headers nowrap"),
    "tfoot": _BOX,
    "th": _BOX | _names("colspan rowspan headers nowrap scope"),
    "thead": _BOX,
    "time": _names("datetime"),
    "tr": _BOX,
    "ul": _names("type"),
}

IN_APP_TAGS: Final = _names("p br strong b em i span div h3 h4 h5 h6 ul ol li a code pre")

IN_APP_ATTRIBUTES: Final = {"*": _names("class"), "a": _names("href")}

CLOSED_BY_OTHERS: Final = _names(
    """area base br col dd dt embed hr img input li link meta option p param source tbody td tfoot th thead tr track
    wbr"""
)
"""Elements that HTML lets authors leave open, or that have no end."""
