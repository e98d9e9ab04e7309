"""How long a channel's content may be and how deep its templates may nest."""

from dataclasses import dataclass
from typing import Final

from shared.notification.models import Channel


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """`body_bytes` and `body_characters` bound the sanitised body, `include_depth` the chain of includes.

    `is_html` says that values are HTML-escaped as they enter the text.
    """

    body_bytes: int
    include_depth: int
    is_html: bool
    body_characters: int | None = None

    @property
    def raw_size(self) -> int:
        """The most characters a template may write before sanitising: markup and white space that go may be long."""
        return 2 * self.body_bytes


SUBJECT_CHARACTERS: Final = 998
"""The longest header line that mail servers accept (RFC 5322, section 2.1.1)."""

_IN_APP: Final = ChannelLimits(body_bytes=10_000, include_depth=5, is_html=True)

_LIMITS: Final = {
    Channel.EMAIL: ChannelLimits(body_bytes=100_000, include_depth=10, is_html=True),
    Channel.IN_APP: _IN_APP,
    Channel.SMS: ChannelLimits(body_bytes=10_000, include_depth=3, is_html=False, body_characters=1_600),
    Channel.PUSH: ChannelLimits(body_bytes=10_000, include_depth=10, is_html=False),
    Channel.CHAT: ChannelLimits(body_bytes=10_000, include_depth=10, is_html=False),
}


def limits_for(channel: Channel) -> ChannelLimits:
    """The limits of a channel; one that has none of its own follows in-app."""
    return _LIMITS.get(channel, _IN_APP)
