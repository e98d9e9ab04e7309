"""`xnovu erase --recipient ID`: a person is taken out of rows, rules, addresses and Novu, with a receipt."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli.asking import ask
from cli.erase.at_novu import PersonAtNovu, open_person
from cli.erase.erasure import carry_out, receipt_of, survey
from cli.erase.places import PersonHere
from cli.erase.receipt import Receipt
from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint, failures_named
from cli.novu.key import key_of
from cli.supabase_session import supabase_session
from cli.terminal import say, say_line
from shared.novu.rates import RateKeeper, limits_of
from shared.novu.subscribers import SubscriberUnavailable
from shared.settings import NovuRateSettings, NovuSettings, SupabaseSettings, is_enterprise_id
from shared.supabase.novu_token_store import SupabaseNovuTokens
from shared.supabase.recipients import SupabaseRecipientStore

EXIT_LEFT = 1

WAIT_SECONDS = 90.0
"""Longer than a claim lasts whose worker was lost, and than Novu's queue usually is."""


@dataclass(frozen=True, slots=True)
class _Settings:
    supabase: SupabaseSettings
    novu: NovuSettings
    rate: NovuRateSettings


def erase(
    recipient: Annotated[str, typer.Option(metavar="ID", help="The subscriber's id, as in `recipients`.")],
    enterprise: Annotated[str, typer.Option(help="The enterprise's id.")],
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="What else names the person: a former address, a full name. Repeat it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what there is.")] = False,
    shared: Annotated[
        bool, typer.Option("--shared", help="Delete at Novu also what other enterprises call by the same id.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds for what is just being sent, and for Novu's queue.")
    ] = WAIT_SECONDS,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object (docs/erasure.md).")] = False,
) -> None:
    """Take a person out of notifications, rules, addresses and Novu, and read each place again: docs/erasure.md.

    What waits for this person alone is retracted. Safe to repeat, also after a failure.
    Exit 0 nothing is left, or a dry run; 1 something is left, or nobody wanted it; 2 it could not be begun or ended:
    usage, settings, no answer of the database.
    """
    if not recipient.strip():
        exit_with_hint("--recipient is empty.", "give the id that stands in `recipients`.", EXIT_NOTHING_KNOWN)
    if not is_enterprise_id(enterprise):
        exit_with_hint(
            "--enterprise is no enterprise's id.", "1-64 of letters, digits, '_', '-', '.'.", EXIT_NOTHING_KNOWN
        )
    terms = [term for each in also or [] if (term := each.strip())]
    with failures_named():
        try:
            settings = _Settings(SupabaseSettings.load(), NovuSettings.load(), NovuRateSettings.load())
            receipt = asyncio.run(_look(settings, enterprise, recipient, terms))
            if not dry_run:
                if not as_json and not yes:
                    _show(receipt, as_json)
                ask(f"Erase {recipient} of {enterprise} for good?", yes=yes, as_json=as_json)
                receipt = asyncio.run(_erase(settings, enterprise, recipient, terms, wait, shared))
        except SubscriberUnavailable as unavailable:
            exit_with_hint(f"{unavailable}. Nothing was erased.", "xnovu doctor novu says why.", EXIT_NOTHING_KNOWN)
    _show(receipt, as_json)
    if not dry_run and not receipt.erased:
        raise typer.Exit(EXIT_LEFT)


async def _look(settings: _Settings, enterprise_id: str, subscriber_id: str, terms: list[str]) -> Receipt:
    async with _person(settings, enterprise_id, subscriber_id, terms) as (here, novu):
        return receipt_of(enterprise_id, subscriber_id, await survey(here, novu))


async def _erase(
    settings: _Settings, enterprise_id: str, subscriber_id: str, terms: list[str], wait: float, shared: bool
) -> Receipt:
    async with _person(settings, enterprise_id, subscriber_id, terms) as (here, novu):
        receipt = receipt_of(enterprise_id, subscriber_id, await survey(here, novu))
        await carry_out(receipt, here, novu, wait_seconds=wait, shared=shared)
        return receipt


@asynccontextmanager
async def _person(
    settings: _Settings, enterprise_id: str, subscriber_id: str, terms: list[str]
) -> AsyncIterator[tuple[PersonHere, PersonAtNovu]]:
    """With the addresses that either side knows, by which rows may name the person."""
    async with supabase_session(settings.supabase) as client:
        key = await key_of(client, settings.novu, [enterprise_id])
        limits = limits_of(settings.rate.novu_plan, settings.rate.own_rates)
        rates = RateKeeper(SupabaseNovuTokens(client, key.name), limits)
        async with open_person(
            settings.novu.novu_api_url, key.value, subscriber_id, rates, key_name=key.variable
        ) as novu:
            known = (await SupabaseRecipientStore(client).find(enterprise_id, [subscriber_id])).by_id.get(subscriber_id)
            members: list[Any] = [{} if known is None else known.members, await novu.subscriber() or {}]
            named = [each.get(name) for each in members for name in ("email", "phone")]
            everything = dict.fromkeys([*terms, *(each for each in named if isinstance(each, str) and each)])
            yield PersonHere(client, enterprise_id, subscriber_id, list(everything)), novu


def _show(receipt: Receipt, as_json: bool) -> None:
    if as_json:
        say(json.dumps(receipt.as_object(), ensure_ascii=False, indent=2))
    else:
        for line in receipt.lines():
            say_line(line)
