"""Whether Novu can send what the rows ask for: one look at its list, however many rows there are."""

from collections.abc import Iterator

from cli.novu.api import ListedWorkflow, NovuApi, NovuEnvironment
from cli.novu.desired import Desired, channels_of_types
from cli.novu.findings import Finding
from cli.novu.plan import missing_integrations, read_wanted, static_findings
from cli.novu.rows import Scope, WorkflowRows

APPLY = "xnovu novu plan shows the difference, xnovu novu apply mends it."


async def check_workflows(api: NovuApi, rows: WorkflowRows, scope: Scope) -> tuple[NovuEnvironment, list[Finding]]:
    """What is missing, inactive or incomplete; nothing where all is well.

    Who has made a workflow does not matter here. Raises NovuFailed and StoreUnavailable.
    """
    environment = await api.my_environment()
    wanted = await read_wanted(rows, environment.id, scope)
    if not wanted.dynamic and not wanted.static:
        return environment, []
    listed = {one.key: one for one in await api.list_workflows()}
    found = [finding for key, desired in wanted.dynamic.items() for finding in _find(desired, listed.get(key))]
    found += static_findings(wanted.static, listed)
    return environment, [*found, *await missing_integrations(api, environment, list(wanted.dynamic.values()))]


def _find(desired: Desired, listed: ListedWorkflow | None) -> Iterator[Finding]:
    if desired.flaw:
        yield Finding(desired.key, "refused", desired.flaw, "correct the row.")
        return
    if listed is None:
        yield Finding(desired.key, "missing", "Novu has no such workflow", APPLY)
        return
    if listed.status == "INACTIVE":
        yield Finding(desired.key, "inactive", "it is inactive at Novu", APPLY)
    if listed.status == "ERROR":
        yield Finding(desired.key, "issue", "Novu finds issues in it", "xnovu novu plan says which.")
    if listed.step_types is not None:
        there = channels_of_types(listed.step_types)
        if missing := [channel for channel in desired.channels if channel not in there]:
            yield Finding(desired.key, "channel", f"it has no step for {', '.join(missing)}", APPLY)
