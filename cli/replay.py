"""`xnovu replay`: FAILED notifications back on the road, once their cause is mended; and what did not arrive."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from cli.aligned import aligned
from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint, failures_named
from cli.firings import read_instant
from cli.operator_store import OperatorStore, Replay, UndeliveredReplay
from cli.replay_chosen import ChosenReplay, chosen_lines, replay_chosen
from cli.replay_undelivered import undelivered_lines
from cli.supabase_session import supabase_session
from cli.terminal import say, say_line
from shared.notification.delivery import FAILURES
from shared.notification.models import LARGEST_ID
from shared.notification.outcomes import RefusalCode
from shared.settings import SupabaseSettings
from shared.suggestion import did_you_mean

EXIT_NONE_REPLAYED = 1

MOST_ROWS = 1000
"""In one call; repeat the command for more."""

_DUPLICATES = (
    "Nobody is served twice: {count} of them may have reached Novu. They keep their transaction ids, by which Novu "
    "leaves out what it has taken, and chunks of recipients it has accepted are not sent again."
)


def replay(
    enterprise: Annotated[str | None, typer.Option(help="The enterprise's id.")] = None,
    ids: Annotated[
        list[int] | None,
        typer.Option("--id", min=1, max=LARGEST_ID, help="This row alone, whosever it is; repeat it for more."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="RFC 3339; only what failed then or later.")
    ] = None,
    code: Annotated[str | None, typer.Option(help="Only this code of docs/error_codes.md.")] = None,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="SENT ones that failed at Novu: again, to whom they failed for alone.")
    ] = False,
    cause: Annotated[
        str | None, typer.Option(help="With --undelivered: only what failed for this cause of docs/delivery.md.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="At most so many, the oldest first.")] = 100,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, only show what would be done.")] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One object: dry_run, notification_ids, codes, refused; with --undelivered messages and left_out; with"
            " --id rows and missing.",
        ),
    ] = False,
) -> None:
    """Set FAILED notifications back to PENDING, so that a running daemon sends them; without --yes, show which.

    With --undelivered: have SENT ones that definitely failed for somebody sent again, to these people and in these
    channels alone. Left out are those that would not be sent: unpublished or deactivated rows, and rows past their
    deliver_before.
    With --id each row that stays as it is says why, and the exit code is 1 if none of them is, or would be, replayed.
    Exit 0 also if there are none; 2 for wrong usage or settings, or no database.
    """
    if ids:
        if enterprise or since or code or undelivered or cause:
            exit_with_hint("--id chooses by itself.", "leave the other choices out.", EXIT_NOTHING_KNOWN)
        _replay_ids(ids, yes, as_json)
        return
    if enterprise is None:
        exit_with_hint("What is to be replayed?", "--enterprise ID, or --id ROW.", EXIT_NOTHING_KNOWN)
    if undelivered and code is not None:
        exit_with_hint(
            "--code is of FAILED rows, and with --undelivered there are none.", "--cause", EXIT_NOTHING_KNOWN
        )
    if code is not None and code not in set(RefusalCode):
        exit_with_hint(
            f"--code {code}: no row fails with that.", did_you_mean(code, set(RefusalCode)), EXIT_NOTHING_KNOWN
        )
    if cause is not None and (not undelivered or cause not in FAILURES):
        exit_with_hint(
            f"--cause is for --undelivered, and one of {', '.join(sorted(FAILURES))}.",
            "docs/delivery.md says what each means.",
            EXIT_NOTHING_KNOWN,
        )
    instant = None if since is None else read_instant(since, "--since")
    with failures_named():
        settings = SupabaseSettings.load()

        async def ask() -> Replay | UndeliveredReplay:
            async with supabase_session(settings) as client:
                store = OperatorStore(client)
                if undelivered:
                    return await store.replay_undelivered(
                        enterprise, since=instant, cause=cause, limit=limit, dry_run=not yes
                    )
                return await store.replay(enterprise, since=instant, code=code, limit=limit, dry_run=not yes)

        done = asyncio.run(ask())
    if as_json:
        say(json.dumps(asdict(done), indent=2))
        return
    for line in (
        undelivered_lines(done) if isinstance(done, UndeliveredReplay) else _lines(done, enterprise, code, since)
    ):
        say_line(line)


def _replay_ids(ids: Sequence[int], yes: bool, as_json: bool) -> None:
    if len(ids) > MOST_ROWS:
        exit_with_hint(f"--id: more than {MOST_ROWS:,}.", "repeat the command.", EXIT_NOTHING_KNOWN)

    async def ask(settings: SupabaseSettings) -> ChosenReplay:
        async with supabase_session(settings) as client:
            return await replay_chosen(client, ids, dry_run=not yes)

    with failures_named():
        done = asyncio.run(ask(SupabaseSettings.load()))
    if as_json:
        say(json.dumps(asdict(done), indent=2))
    else:
        for line in chosen_lines(done):
            say_line(line)
    if not done.notification_ids:
        raise typer.Exit(EXIT_NONE_REPLAYED)


def _of(code: str | None, since: str | None) -> str:
    return (f" with {code}" if code else "") + (f" since {since}" if since else "")


def _lines(done: Replay, enterprise: str, code: str | None, since: str | None) -> Iterator[str]:
    if not done.codes:
        yield f"Nothing of enterprise {enterprise} has failed{_of(code, since)}."
        return
    yield from aligned(
        [
            ("code", "failed", "chosen", "may have reached Novu", "inactive", "past deliver_before"),
            *(tuple(map(str, asdict(it).values())) for it in done.codes),
        ]
    )
    yield ""
    count = len(done.notification_ids)
    reached = sum(it.may_have_reached_novu for it in done.codes)
    if reached:
        yield _DUPLICATES.format(count=reached)
    if done.dry_run:
        yield f"Dry run: nothing was changed. With --yes, {count} would be PENDING again."
    else:
        yield f"{count} are PENDING again. xnovu tail shows how they end."
    for notification_id, state in done.refused.items():
        yield f"{notification_id} stays FAILED: a constraint or trigger of the project refuses its UPDATE ({state})."
    left = sum(it.failed - it.inactive - it.past_deliver_before for it in done.codes) - count
    if left > 0:
        yield f"{left} more are beyond --limit."
