"""`xnovu template list | show | render`: what there is; what each channel would get, or why a row would fail."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint, failures_named
from cli.files.kinds import Kind
from cli.files.listing import add_list_and_show
from cli.object_option import read_object, read_object_file
from cli.supabase_session import supabase_session
from cli.template_files import request_from_files
from cli.template_page import show
from cli.template_preview import preview_json, print_preview
from cli.terminal import say
from shared.notification.models import Channel, NovuWorkflow, WorkflowType
from shared.notification.outcomes import Refusal, RefusalCode
from shared.notification.payload_rules import refused_member
from shared.refused_value import one_of
from shared.settings import SupabaseSettings
from shared.suggestion import active_workflows
from shared.supabase.template_store import SupabaseTemplateStore, WorkflowTemplates
from worker.render_pool.child_process import RenderPoolUnavailable
from worker.render_pool.pool import RenderPool
from worker.rendering.request import RenderRequest, RenderResult

EXIT_NOT_RENDERED = 1

app = typer.Typer(no_args_is_help=True, help="Templates (docs/templates.md).")


add_list_and_show(app, Kind.TEMPLATE)


@app.command()
def render(
    payload: Annotated[
        str, typer.Option(metavar="FILE|@FILE|JSON", help="The row's payload, a JSON object; - or @- is stdin.")
    ],
    workflow: Annotated[
        str | None, typer.Option(metavar="KEY", help="The workflow_key of one in the database.")
    ] = None,
    enterprise: Annotated[str | None, typer.Option(help="With --workflow: whose it is.")] = None,
    template_file: Annotated[
        Path | None, typer.Option("--template", metavar="FILE", help="Instead of --workflow: the body's Liquid source.")
    ] = None,
    subject: Annotated[Path | None, typer.Option(metavar="FILE", help="With --template: the subject's source.")] = None,
    templates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --template: what it may include; FOOTER.liquid has the key FOOTER."),
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(help="EMAIL, IN_APP, SMS, PUSH or CHAT; repeat it for more. Default: the workflow's."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show email and in-app in a browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help='{"channels": {...}} or {"refusal": {...}}.')] = False,
) -> None:
    """Render by the worker's own code and limits, from the database or from files.

    Exit 0 rendered, 1 refused or not to be rendered, 2 nothing is known: usage, settings, no database.
    """
    channels = tuple(dict.fromkeys(_channel(name) for name in channel or ()))
    is_file = not payload.startswith(("@", "{"))
    values = read_object_file("--payload", Path(payload)) if is_file else read_object("--payload", payload)
    if template_file is not None and workflow is None and enterprise is None:
        if len(channels) != 1:
            exit_with_hint("--template is of one channel.", "say which by one --channel.", EXIT_NOTHING_KNOWN)
        request = request_from_files(template_file, subject, templates, channels[0], values)
    elif workflow is not None and enterprise is not None and template_file is subject is templates is None:
        with failures_named():
            found = asyncio.run(_read(SupabaseSettings.load(), enterprise, workflow))
        request = RenderRequest(
            enterprise, _renderable(found, enterprise, workflow), (), found.templates, values, explain=True
        )
        request = replace(request, channels=channels or tuple(dict.fromkeys(request.workflow.default_channels)))
    else:
        exit_with_hint(
            "What is to be rendered?",
            "--workflow KEY --enterprise ID from the database, or --template FILE --channel C from files; not both.",
            EXIT_NOTHING_KNOWN,
        )
    result = _refusal_of(request) or asyncio.run(_render(request))
    if as_json:
        say(json.dumps(preview_json(result), indent=2))
    else:
        print_preview(result)
    if not isinstance(result, dict):
        raise typer.Exit(EXIT_NOT_RENDERED)
    if open_page:
        say(show(request, result), err=True)


_NO_CHANNEL = Refusal(
    RefusalCode.TEMPLATE_NOT_FOUND, "neither the notification nor its workflow names a channel; --channel names one"
)


def _refusal_of(request: RenderRequest) -> Refusal | None:
    """What a delivery would refuse before it renders."""
    if not request.channels:
        return _NO_CHANNEL
    member = refused_member(request.payload, request.workflow.type)
    return None if member is None else Refusal(RefusalCode.PAYLOAD_INVALID, f"{member.path} {member.why}")


async def _read(settings: SupabaseSettings, enterprise_id: str, workflow_key: str) -> WorkflowTemplates:
    async with supabase_session(settings) as client:
        return await SupabaseTemplateStore(client).read(enterprise_id, workflow_key)


async def _render(request: RenderRequest) -> RenderResult:
    pool = RenderPool()
    try:
        return (await pool.render([request]))[0]
    except RenderPoolUnavailable as unavailable:
        exit_with_hint(f"Nothing can be rendered: {unavailable}.", "try again.", EXIT_NOT_RENDERED)
    finally:
        await pool.close()


def _renderable(found: WorkflowTemplates, enterprise_id: str, workflow_key: str) -> NovuWorkflow:
    """The workflow, if the worker would render it; leaves with the reason otherwise."""
    if found.workflow is None:
        exit_with_hint(
            f"--workflow: enterprise {enterprise_id} has no workflow {workflow_key}.",
            active_workflows(workflow_key, found.known_keys),
            EXIT_NOT_RENDERED,
        )
    if isinstance(found.workflow, Refusal):
        exit_with_hint(f"--workflow: {found.workflow.message}.", "mend that column.", EXIT_NOT_RENDERED)
    if not found.active:
        say(f"Workflow {workflow_key} is not published or is deactivated: rows that name it fail.", err=True)
    if found.workflow.type is WorkflowType.STATIC:
        exit_with_hint(
            f"--workflow: {workflow_key} is STATIC: nothing is rendered here, Novu gets the payload as it is.",
            "only DYNAMIC workflows have templates of ours.",
            EXIT_NOT_RENDERED,
        )
    return found.workflow


def _channel(name: str) -> Channel:
    try:
        return Channel(name.upper().replace("-", "_"))
    except ValueError:
        raise typer.BadParameter(f"{one_of(list(Channel), name)}.", param_hint="--channel") from None
