"""An entry as the text of its file, as `directory` reads it. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cli.files.directory import LONGEST_FILE_BYTES
from cli.files.kinds import MODELS, Entry, Kind
from cli.files.yaml_text import YamlRefused, read_yaml, write_yaml
from shared.refused_value import why_refused

BODY_SUFFIX = ".liquid"

_LONGEST_STEM = 100


class NotToBeKept(Exception):
    """No file can hold it; the message says why."""


@dataclass(frozen=True, slots=True)
class FileText:
    """Where an entry goes below its enterprise's directory, and what stands there; the body's file for templates."""

    path: str
    text: str
    body_path: str | None = None
    body: str = ""


def file_texts(entries: Sequence[Entry]) -> Iterator[tuple[Entry, FileText | NotToBeKept]]:
    """For each entry its file, or why there is none. Names are unique, also where letters' case counts for nothing."""
    used: set[tuple[Kind, str]] = set()
    identities: set[tuple[Kind, str]] = set()
    for entry in entries:
        if (entry.kind, entry.identity) in identities:
            yield entry, NotToBeKept(f"another row has this {entry.kind.identity}, too")
            continue
        identities.add((entry.kind, entry.identity))
        stem = unique = _stem(entry.identity)
        number = 1
        while (entry.kind, unique.lower()) in used:
            number += 1
            unique = f"{stem}-{number}"
        used.add((entry.kind, unique.lower()))
        try:
            yield entry, file_text(entry, unique)
        except NotToBeKept as reason:
            yield entry, reason


def file_text(entry: Entry, stem: str) -> FileText:
    """The entry's file of this name. Raises NotToBeKept."""
    body = f"{stem}{BODY_SUFFIX}" if entry.kind is Kind.TEMPLATE else None
    members = _members(entry, body)
    text = write_yaml(members)
    try:
        MODELS[entry.kind].model_validate(members)
        is_same = read_yaml(text).value == members
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise NotToBeKept(f"{'.'.join(map(str, first['loc']))}: {why_refused(first)}") from None
    except YamlRefused as refused:
        raise NotToBeKept(str(refused)) from None
    body_text = "" if body is None else f"{entry.columns['body_template']}\n"
    if not is_same or max(len(text.encode()), len(body_text.encode())) > LONGEST_FILE_BYTES:
        raise NotToBeKept(f"its file would be larger than {LONGEST_FILE_BYTES:,} bytes, or another when read")
    folder = entry.kind.folder
    return FileText(f"{folder}/{stem}.yaml", text, None if body is None else f"{folder}/{body}", body_text)


def _members(entry: Entry, body_file: str | None) -> Mapping[str, Any]:
    """As a person would write them: without what goes without saying."""
    values = {**entry.columns, "body_file": body_file}
    members = {}
    for name, field in MODELS[entry.kind].model_fields.items():
        is_default = not field.is_required() and values[name] == field.default
        if not is_default and not (name == "name" != entry.kind.identity and values[name] == entry.identity):
            members[name] = values[name]
    return members


def _stem(identity: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", identity)[:_LONGEST_STEM].strip("-.") or "unnamed"
