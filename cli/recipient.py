"""`xnovu recipient show`: what the project knows of a subscriber, what Novu does, what the next notification changes.

It prints personal data, on the terminal of whoever asks, and nowhere else.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import typer

from cli import patience
from cli.aligned import aligned
from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint, failures_named
from cli.novu.key import key_of
from cli.supabase_session import supabase_session
from cli.terminal import say, say_line
from shared.notification.recipient import KnownRecipients, Recipient
from shared.novu.subscribers import SubscriberUnavailable, open_subscribers
from shared.settings import NovuSettings, SupabaseSettings
from shared.supabase.recipients import SupabaseRecipientStore

EXIT_NOBODY = 1

_MEMBERS = ("email", "phone", "firstName", "lastName", "avatar", "locale", "timezone", "data")

app = typer.Typer(no_args_is_help=True, help="Subscribers and their addresses (docs/database.md).")


@dataclass(frozen=True, slots=True)
class Both:
    """A subscriber on both sides; None where there is none."""

    subscriber_id: str
    known: KnownRecipients
    novu: Mapping[str, Any] | None

    @property
    def here(self) -> Recipient | None:
        return self.known.by_id.get(self.subscriber_id)

    def differences(self) -> list[str]:
        """Members that the next notification changes at Novu."""
        ours = {} if self.here is None else self.here.members
        at_novu = self.novu or {}
        return [name for name in _MEMBERS if name in ours and ours[name] != at_novu.get(name)]

    def providers(self) -> dict[str, int]:
        """Push and chat providers of which Novu has credentials, with how many tokens or webhooks."""
        found: dict[str, int] = {}
        channels = (self.novu or {}).get("channels")
        for channel in channels if isinstance(channels, list) else []:
            if isinstance(channel, dict) and isinstance(credentials := channel.get("credentials"), dict):
                tokens = credentials.get("deviceTokens")
                count = len(tokens) if isinstance(tokens, list) else 0
                found[str(channel.get("providerId"))] = count + bool(credentials.get("webhookUrl"))
        return found

    def credentials_wait(self) -> bool:
        """Whether Novu is to be given credentials before the next push or chat message."""
        return self.here is not None and bool(self.here.credentials)


@app.callback()
def recipient() -> None:
    """Look at subscribers."""


@app.command()
def show(
    subscriber_id: Annotated[str, typer.Argument(metavar="ID", help="The subscriber's id, as in `recipients`.")],
    enterprise: Annotated[str, typer.Option("--enterprise", help="Whose recipient it is.")],
    as_json: Annotated[bool, typer.Option("--json", help="One object: here, novu, differences.")] = False,
) -> None:
    """Print a subscriber's addresses: what notify.recipient has, what Novu has, and what the next notification changes.

    Personal data. Exit 0 printed, 1 neither knows the subscriber, 2 nothing is known: usage, settings, no answer.
    """
    with failures_named():
        try:
            both = asyncio.run(_read(SupabaseSettings.load(), NovuSettings.load(), enterprise, subscriber_id))
        except SubscriberUnavailable as unavailable:
            exit_with_hint(str(unavailable), "xnovu doctor novu says why.", EXIT_NOTHING_KNOWN)
    if as_json:
        say(json.dumps(_object(enterprise, both), ensure_ascii=False, indent=2))
    else:
        for line in _lines(enterprise, both):
            say_line(line)
    if both.here is None and both.novu is None:
        raise typer.Exit(EXIT_NOBODY)


async def _read(supabase: SupabaseSettings, novu: NovuSettings, enterprise_id: str, subscriber_id: str) -> Both:
    async with supabase_session(supabase) as client:
        key = await key_of(client, novu, [enterprise_id])
        bounds = httpx.Timeout(patience.ANSWERS_WITHIN_SECONDS)
        async with open_subscribers(novu.novu_api_url, key.value, key_name=key.variable, bounds=bounds) as subscribers:
            known = await SupabaseRecipientStore(client).find(enterprise_id, [subscriber_id])
            return Both(subscriber_id, known, await subscribers.read(subscriber_id))


def _object(enterprise_id: str, both: Both) -> dict[str, Any]:
    return {
        "enterprise_id": enterprise_id,
        "subscriber_id": both.subscriber_id,
        "here": None if both.here is None else dict(both.here.members),
        "novu": None if both.novu is None else {name: both.novu.get(name) for name in _MEMBERS},
        "differences": both.differences(),
        "unread": dict(both.known.unread),
        "fault": both.known.fault,
        "credentials": {"at_novu": both.providers(), "to_be_given": both.credentials_wait()},
    }


def _lines(enterprise_id: str, both: Both) -> Iterator[str]:
    yield f"{both.subscriber_id} of {enterprise_id}"
    if both.known.fault is not None:
        yield f"! notify.recipient failed with {both.known.fault}: ids go out alone"
    for column, count in both.known.unread.items():
        yield f"! {count} value that cannot be read: {'the whole row' if column == '*' else column}"
    ours = {} if both.here is None else both.here.members
    at_novu = both.novu or {}
    changed = both.differences()
    rows = [
        ["", "notify.recipient" if both.here else "no row", "Novu" if both.novu is not None else "unknown to Novu", ""]
    ]
    for name in _MEMBERS:
        if name in ours or at_novu.get(name) is not None:
            remark = "the next notification changes it" if name in changed else ""
            rows.append([name, _text(ours.get(name)), _text(at_novu.get(name)), remark])
    yield from aligned(rows)
    for provider, count in both.providers().items():
        yield f"{provider}: {count} at Novu"
    if both.credentials_wait():
        yield "Novu is given push and chat credentials before the next such message"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
