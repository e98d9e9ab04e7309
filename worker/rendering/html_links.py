"""Addresses in attributes, read as browsers read them."""

import re
from typing import Final

_AROUND: Final = "".join(map(chr, range(0x21)))
"""Control characters and space: browsers drop them at either end (URL Standard, 4.4)."""
_WITHIN: Final = str.maketrans("", "", "\t\n\r")
"""Browsers drop these wherever they stand."""

# nh3 writes attributes in this one form, so an anchor can be found in its output without parsing again.
_ANCHOR: Final = re.compile(r'<a((?: [^\s=>"]+="[^"]*")*)>')
_WEB_HREF: Final = re.compile(r' href="(?:https?:|[/\\]{2})', re.IGNORECASE)


def normalise_address(address: str) -> str:
    """The address without what browsers ignore: what is left reads to us as it does to them."""
    return address.strip(_AROUND).translate(_WITHIN)


def mark_external_links(html: str) -> str:
    """Have links of cleaned HTML that lead elsewhere open there, without a way back."""
    return _ANCHOR.sub(_mark_external, html)


def _mark_external(anchor: re.Match[str]) -> str:
    attributes = anchor.group(1)
    if not _WEB_HREF.search(attributes):
        return anchor.group()
    return f'<a{attributes} target="_blank" rel="noopener noreferrer">'
