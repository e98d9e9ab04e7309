"""A rendering's inputs from files."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint
from shared.notification.models import Channel, NovuWorkflow, Template, WorkflowType
from worker.rendering.request import RenderRequest


def read_payload(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file, or in standard input for `-`. Leaves with line and column for anything else."""
    name = "standard input" if str(path) == "-" else str(path)
    text = sys.stdin.read() if str(path) == "-" else _read("--payload", path)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        exit_with_hint(
            f"--payload: {name} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.",
            'such as {"name": "Ada"}.',
            EXIT_NOTHING_KNOWN,
        )
    except (ValueError, RecursionError) as error:
        exit_with_hint(f"--payload: {name} is not JSON: {error}.", 'such as {"name": "Ada"}.', EXIT_NOTHING_KNOWN)
    if not isinstance(value, dict):
        exit_with_hint(
            f"--payload: {name} holds no JSON object.",
            'its members are the variables: {"name": "Ada"}.',
            EXIT_NOTHING_KNOWN,
        )
    return value


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
        for number, path in enumerate(sorted(it for it in directory.iterdir() if it.is_file()), 2):
            templates[path.stem] = Template(number, path.stem, channel, None, _read("--templates", path))
    root = Template(
        1, body.stem, channel, None if subject is None else _read("--subject", subject), _read("--template", body)
    )
    workflow = NovuWorkflow(body.name, WorkflowType.DYNAMIC, template_references={channel: root.key})
    return RenderRequest("files", workflow, (channel,), {**templates, root.key: root}, payload, explain=True)


def _read(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        exit_with_hint(f"{option}: {path} cannot be read: {reason}.", "name a text file.", EXIT_NOTHING_KNOWN)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
