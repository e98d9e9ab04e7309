"""`xnovu enterprise list | pause | resume | remove`: who is known, and who is not to be served any more."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from temporalio.service import RPCError, RPCStatusCode

from cli import patience
from cli.aligned import aligned
from cli.enterprise.asking import AsJson, EnterpriseId, answer_of
from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint, failures_named
from cli.terminal import say
from shared.settings import TemporalSettings, temporal_connect_config
from shared.supabase.sql_function import call_function
from shared.temporal.client import connect_once
from shared.temporal.names import MASTER_ORCHESTRATION_ID, REMOVE_ENTERPRISES_SIGNAL
from shared.temporal.reason import temporal_reason

MOST_LISTED = 1000
TEMPORAL_ANSWERS_WITHIN = timedelta(seconds=patience.ANSWERS_WITHIN_SECONDS)

app = typer.Typer(no_args_is_help=True, help="Enterprises in the database (docs/scheduling.md).")


@app.command("list")
def list_enterprises(
    search: Annotated[str, typer.Option(metavar="TEXT", help="Only ids that hold it, in whatever case.")] = "",
    after: Annotated[str, typer.Option(metavar="ENTERPRISE_ID", help="Only those behind it.")] = "",
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=MOST_LISTED, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Name the enterprises that are known, by their ids, and what their rules wait for.

    Exit 0; 2 for wrong settings, or if the database does not answer.
    """
    rows: Sequence[Mapping[str, Any]] = answer_of(
        lambda client: call_function(client, "list_enterprises", p_search=search, p_after=after, p_limit=count)
    )
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    if not rows:
        say("none is known; listeners with DAEMON_ENTERPRISE_IDS=* note those that have rows")
        return
    table = [("enterprise", "served", "since", "rules seen to", "next rule", "own settings")]
    for row in rows:
        times = (row["changed_at"], row["rules_seen_to_at"] or "never", row["next_rule_at"] or "none")
        settings = ",".join(f"{name}={value}" for name, value in row["settings"].items()) or "-"
        table.append((row["enterprise_id"], "yes" if row["served"] else "no", *times, settings))
    say("\n".join(aligned(table)))
    if len(rows) == count:
        say(f"There may be more: --after {rows[-1]['enterprise_id']}")


@app.command()
def pause(enterprise_id: EnterpriseId, as_json: AsJson = False) -> None:
    """Send nothing more of the enterprise, and let its rules rest, within ten seconds. Its rows stay as they are.

    Exit 0, also if it rests already; 2 for wrong settings, or if the database does not answer.
    """
    _serve(enterprise_id, False, as_json)


@app.command()
def resume(enterprise_id: EnterpriseId, as_json: AsJson = False) -> None:
    """Serve the enterprise again: what is due goes out, and its rules catch up as after an outage.

    Exit 0, also if it is served already; 2 for wrong settings, or if the database does not answer.
    """
    _serve(enterprise_id, True, as_json)


@app.command()
def remove(enterprise_id: EnterpriseId, as_json: AsJson = False) -> None:
    """Have the enterprise rest as pause does, stop its schedulers, and forget it once nothing of it is left.

    Its notifications, rules, workflows and templates stay in the tables: whoever wrote them deletes them.

    Exit 0, also if it is removed already; 2 for wrong settings, or if the database or Temporal does not answer.
    """
    with failures_named():
        temporal = TemporalSettings.load()  # before anything is done
    answer: Mapping[str, Any] = answer_of(
        lambda client: call_function(client, "remove_enterprise", p_enterprise_id=enterprise_id)
    )
    _stop_schedulers(temporal, enterprise_id)
    if as_json:
        say(json.dumps({"result": "removed", **answer}, indent=2))
        return
    say(f"{enterprise_id}: removed")
    if answer["forgotten"]:
        say("Nothing of it is left. A row of it that comes makes it known again, and served.")
        return
    left = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in answer["left"].items() if count)
    say(f"Still in the tables: {left}. Nothing of that is sent. Once it is deleted, remove it again to forget it.")


def _stop_schedulers(settings: TemporalSettings, enterprise_id: str) -> None:
    """Those of its own, where it has some: of every enterprise, those of a shard go on for others."""

    async def signal() -> None:
        client = await connect_once(
            settings.temporal_address,
            settings.temporal_namespace,
            temporal_connect_config(),
            within=TEMPORAL_ANSWERS_WITHIN,
        )
        orchestration = client.get_workflow_handle(MASTER_ORCHESTRATION_ID)
        try:
            await orchestration.signal(REMOVE_ENTERPRISES_SIGNAL, [enterprise_id], rpc_timeout=TEMPORAL_ANSWERS_WITHIN)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # where it does not run, nobody's schedulers do
                raise

    try:
        asyncio.run(signal())
    except (RPCError, RuntimeError) as error:
        exit_with_hint(
            f"{enterprise_id} rests, but Temporal at {settings.temporal_address} was not told to stop its"
            f" schedulers: {temporal_reason(error)}",
            "run it again, which does no harm; xnovu doctor says why Temporal does not answer.",
            EXIT_NOTHING_KNOWN,
        )


def _serve(enterprise_id: str, served: bool, as_json: bool) -> None:
    answer: Mapping[str, Any] = answer_of(
        lambda client: call_function(client, "serve_enterprise", p_enterprise_id=enterprise_id, p_served=served)
    )
    was_served = answer["was"] is not False
    result = ("" if was_served is not served else "already_") + ("served" if served else "paused")
    say(json.dumps({"result": result, **answer}, indent=2) if as_json else f"{enterprise_id}: {result}")
