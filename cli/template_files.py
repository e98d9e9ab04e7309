"""A rendering's inputs from files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint
from cli.object_option import read_text
from shared.notification.models import Channel, NovuWorkflow, Template, WorkflowType
from worker.rendering.request import RenderRequest


def request_from_files(
    body: Path, subject: Path | None, directory: Path | None, channel: Channel, payload: Mapping[str, Any]
) -> RenderRequest:
    """The request for one template; each file of `directory` is another that it may include, by the name's stem."""
    templates = {}
    if directory is not None:
        if not directory.is_dir():
            exit_with_hint(
                f"--templates: {directory} is no directory.", "name the one with the includes.", EXIT_NOTHING_KNOWN
            )
        for number, path in enumerate(sorted(it for it in directory.iterdir() if _is_source(it)), 2):
            templates[path.stem] = Template(number, path.stem, channel, None, read_text("--templates", path))
    root = Template(
        1,
        body.stem,
        channel,
        None if subject is None else read_text("--subject", subject),
        read_text("--template", body),
    )
    workflow = NovuWorkflow(body.name, WorkflowType.DYNAMIC, template_references={channel: root.key})
    return RenderRequest("files", workflow, (channel,), {**templates, root.key: root}, payload, explain=True)


def _is_source(path: Path) -> bool:
    """Not what stands beside it in a directory of `xnovu apply`'s."""
    return path.is_file() and path.suffix not in (".yaml", ".yml")
