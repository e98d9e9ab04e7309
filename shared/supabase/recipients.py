"""What the database knows of subscribers, column by column: what cannot be read is left out, and counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.notification.recipient import KnownRecipients, ProviderCredentials, Recipient
from shared.supabase.decoding import Unreadable, read_json
from shared.supabase.sql_function import call_function

PAGE_SIZE = 500
"""Of subscribers in one question: what is known of each is at most 8 KB."""

_TEXTS = {
    "email": "email",
    "phone": "phone",
    "first_name": "firstName",
    "last_name": "lastName",
    "avatar": "avatar",
    "locale": "locale",
    "timezone": "timezone",
}
"""Columns, and what Novu calls them."""

_LONGEST_TEXT = 512
_MOST_PROVIDERS = 20
_LONGEST_LIST = 100


class SupabaseRecipientStore:
    """The port RecipientStore, over PostgREST."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def find(self, enterprise_id: str, subscriber_ids: Iterable[str]) -> KnownRecipients:
        distinct = list(dict.fromkeys(subscriber_ids))
        pages = [
            read_recipients(
                await call_function(
                    self._client,
                    "recipients_of",
                    p_enterprise_id=enterprise_id,
                    p_subscriber_ids=distinct[start : start + PAGE_SIZE],
                )
            )
            for start in range(0, len(distinct), PAGE_SIZE)
        ]
        return KnownRecipients(
            {key: recipient for page in pages for key, recipient in page.by_id.items()},
            sum((Counter(page.unread) for page in pages), Counter()),
            next((page.fault for page in pages if page.fault), None),
        )

    async def note_kept(self, enterprise_id: str, kept: Mapping[str, tuple[str, str | None]]) -> None:
        await call_function(
            self._client,
            "note_kept_credentials",
            p_enterprise_id=enterprise_id,
            p_kept=[
                {"subscriber_id": subscriber_id, "credentials_hash": credentials_hash, "refusal": refusal}
                for subscriber_id, (credentials_hash, refusal) in kept.items()
            ],
        )


def read_recipients(answer: Mapping[str, Any]) -> KnownRecipients:
    """The answer of `recipients_of` (docs/database_functions.md); nothing that a row holds makes this raise."""
    unread: Counter[str] = Counter()
    by_id = {}
    for subscriber_id, text in answer["known"].items():
        if text is None:
            unread["*"] += 1
            continue
        try:
            row = read_json("recipient", text)
        except Unreadable:
            unread["*"] += 1
            continue
        by_id[subscriber_id] = _recipient(subscriber_id, row, unread)
    return KnownRecipients(by_id, unread, answer.get("fault"))


def _recipient(subscriber_id: str, row: Mapping[str, Any], unread: Counter[str]) -> Recipient:
    members: dict[str, Any] = {}
    for column, name in _TEXTS.items():
        value = row.get(column)
        if value is None or value == "":
            continue
        if _is_line(value):
            members[name] = value
        else:
            unread[column] += 1
    data = row.get("data")
    if isinstance(data, dict):
        members["data"] = data
    elif data is not None:
        unread["data"] += 1
    credentials: tuple[ProviderCredentials, ...] = ()
    if row.get("credentials") is not None:
        try:
            credentials = _credentials(row["credentials"])
        except Unreadable:
            unread["credentials"] += 1
    return Recipient(subscriber_id, members, credentials, row.get("credentials_hash") if credentials else None)


def _credentials(value: Any) -> tuple[ProviderCredentials, ...]:
    if not isinstance(value, list) or len(value) > _MOST_PROVIDERS:
        raise Unreadable("credentials", "is no list of at most twenty providers")
    return tuple(_of_provider(member) for member in value)


def _of_provider(member: Any) -> ProviderCredentials:
    if not isinstance(member, dict) or not _is_line(member.get("providerId")):
        raise Unreadable("credentials", "holds one that names no provider")
    integration = member.get("integrationIdentifier")
    if integration is not None and not _is_line(integration):
        raise Unreadable("credentials", "holds an integrationIdentifier that is no line of text")
    tokens, url = member.get("deviceTokens"), member.get("webhookUrl")
    if _are_tokens(tokens) and url is None:
        return ProviderCredentials(member["providerId"], {"deviceTokens": tokens}, integration)
    if _is_line(url, 2048) and tokens is None:
        return ProviderCredentials(member["providerId"], {"webhookUrl": url}, integration)
    raise Unreadable("credentials", "holds one with neither deviceTokens nor a webhookUrl, or with both")


def _are_tokens(value: Any) -> bool:
    is_list: bool = isinstance(value, Sequence) and not isinstance(value, str) and len(value) <= _LONGEST_LIST
    return is_list and all(_is_line(token, 4096) for token in value)


def _is_line(value: Any, longest: int = _LONGEST_TEXT) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= longest
        and not any(character < " " or character in "\x7f\x85\u2028\u2029" for character in value)
    )
