"""`xnovu export`: workflows, templates and rules as files, which `xnovu apply` reads (docs/files.md)."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from cli.failure import exit_with_hint
from cli.files.file_text import FileText, file_texts
from cli.files.kinds import Kind
from cli.files.rows import Kept
from cli.files.session import EXIT_FAILED, failures_told, file_rows
from cli.terminal import say, say_line
from shared.settings import is_enterprise_id


def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go; it is made if need be.")],
    enterprise: Annotated[
        list[str] | None, typer.Option("--enterprise", metavar="ID", help="Only this one; repeat it. Default: all.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object: files, left_out.")] = False,
) -> None:
    """Write a file for each workflow, template and rule, bodies beside the templates; nothing in the database changes.

    Exit 0 done, also if rows were left out that no file can hold; 1 an error.
    """
    with failures_told():
        kept = asyncio.run(_read(enterprise))
        for enterprise_id in enterprise or ():
            if enterprise_id not in kept:
                exit_with_hint(
                    f"--enterprise {enterprise_id}: it has no workflow, template or rule.",
                    "xnovu workflow list shows whose there are.",
                    EXIT_FAILED,
                )
        left_out = [f"{one}: no directory can have this name" for one in kept if not _is_directory_name(one)]
        kept = {one: its for one, its in kept.items() if _is_directory_name(one)}
        _refuse_overwriting(directory, kept, force)
        written, more = _write(directory, kept)
    left_out += more
    if as_json:
        say(json.dumps({"files": written, "left_out": left_out}, indent=2))
        return
    for reason in left_out:
        say_line(f"  ? left out: {reason}", colour="yellow")
    say_line(f"{len(written)} files of {len(kept)} enterprises in {directory}.")


def _is_directory_name(enterprise_id: str) -> bool:
    """Whether `apply` reads a directory of this name as the enterprise's; with a slash it would lead elsewhere."""
    return is_enterprise_id(enterprise_id) and not enterprise_id.startswith(".")


async def _read(enterprise: list[str] | None) -> dict[str, Kept]:
    async with file_rows() as rows:
        return await rows.read(enterprise)


def _refuse_overwriting(directory: Path, kept: dict[str, Kept], force: bool) -> None:
    for enterprise_id in kept:
        for kind in Kind:
            folder = directory / enterprise_id / kind.folder
            if folder.is_symlink() or folder.parent.is_symlink():
                exit_with_hint(f"{folder} is a link.", "name a directory of its own.", EXIT_FAILED)
            if not force and folder.is_dir() and any(folder.iterdir()):
                exit_with_hint(
                    f"{folder} is not empty.",
                    "--force writes over files of the same names, and leaves the others.",
                    EXIT_FAILED,
                )


def _write(directory: Path, kept: dict[str, Kept]) -> tuple[list[str], list[str]]:
    written: list[str] = []
    left_out: list[str] = []
    for enterprise_id, its in sorted(kept.items()):
        left_out += [f"{enterprise_id}: {reason}" for reason in its.left_out]
        for entry, text in file_texts([entry for entry in its.entries if not entry.is_deleted]):
            if not isinstance(text, FileText):
                left_out.append(f"{enterprise_id}: {entry.subject}: {text}")
                continue
            files = {text.path: text.text} | ({} if text.body_path is None else {text.body_path: text.body})
            for name, content in files.items():
                path = directory / enterprise_id / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_symlink():
                    path.unlink()
                path.write_bytes(content.encode())
                written.append(f"{enterprise_id}/{name}")
    return written, left_out
