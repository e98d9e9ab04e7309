"""A directory of files, read: DIR/ENTERPRISE/{templates,workflows,rules}/*.yaml, bodies beside the templates.

Nothing outside the directory is read, whatever a file names or a link points to, and nothing is executed.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cli.files.kinds import MODELS, Entry, Kind
from cli.files.yaml_text import Document, YamlRefused, read_yaml
from shared.refused_value import why_refused
from shared.settings import is_enterprise_id
from shared.suggestion import did_you_mean

LONGEST_FILE_BYTES = 1024 * 1024

_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file cannot be applied; `line` is None where it is about the file as a whole."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.line is None else f':{self.line}'}: {self.message}"


@dataclass(slots=True)
class Directory:
    """What was read: entries by enterprise, each with its document; what cannot be; what nobody names."""

    enterprises: dict[str, list[Entry]] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


class _Refused(Exception):
    """A file cannot be taken."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def read_directory(root: Path) -> Directory:
    """All of it. Raises OSError if a directory cannot be listed: what is in it would count as gone."""
    found = Directory()
    reading = _Reading(root, found)
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or not (path.is_dir() or path.is_symlink()):
            continue
        if path.name in {kind.folder for kind in Kind} and any(path.glob("*.y*ml")):
            message = f"stands where an enterprise's directory is expected: ENTERPRISE/{path.name}/"
            found.problems.append(Problem(path.name, None, message))
        elif path.is_symlink():
            found.problems.append(Problem(path.name, None, "is a link: directories are not followed out of here"))
        elif not is_enterprise_id(path.name):
            message = "is no enterprise's id: 1 to 64 of letters, digits, '_', '-' and '.'"
            found.problems.append(Problem(path.name, None, message))
        else:
            found.enterprises[path.name] = reading.enterprise(path)
    found.unused = reading.unused()
    return found


class _Reading:
    def __init__(self, root: Path, found: Directory) -> None:
        self._root = root
        self._resolved = root.resolve()
        self._found = found
        self._bodies: set[str] = set()
        self._others: list[str] = []

    def unused(self) -> list[str]:
        """Files beside templates that no template names."""
        return [name for name in self._others if name not in self._bodies]

    def enterprise(self, directory: Path) -> list[Entry]:
        entries: list[Entry] = []
        folders = {kind.folder: kind for kind in Kind}
        for path in sorted(directory.iterdir()):
            if path.name.startswith("."):
                continue
            if path.name in folders and path.is_dir() and not path.is_symlink():
                entries += self._folder(path, folders[path.name])
            elif path.is_dir() or path.is_symlink() or path.suffix in _YAML:
                self._problem(path, None, f"is none of {', '.join(folders)}: {did_you_mean(path.stem, [*folders])}")
        self._refuse_twins(entries)
        return entries

    def _folder(self, directory: Path, kind: Kind) -> list[Entry]:
        entries = []
        for path in self._files(directory):
            if path.suffix not in _YAML:
                self._others += [self._name(path)] if kind is Kind.TEMPLATE else []
                continue
            try:
                entries.append(self._entry(path, kind))
            except _Refused as refused:
                self._problem(path, refused.line, str(refused))
        return [entry for entry in entries if entry is not None]

    def _files(self, directory: Path) -> Iterator[Path]:
        for parent, names, files in os.walk(directory, onerror=_raise):
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in names:
                if (Path(parent) / name).is_symlink():
                    self._problem(Path(parent) / name, None, "is a link to a directory, which is not followed")
            yield from (Path(parent) / name for name in sorted(files) if not name.startswith("."))

    def _entry(self, path: Path, kind: Kind) -> Entry | None:
        name = self._name(path)
        try:
            document = read_yaml(self._text(path))
        except YamlRefused as refused:
            raise _Refused(str(refused), refused.line) from None
        if not isinstance(document.value, dict):
            raise _Refused(f"holds no members: such as {kind.identity}: ...", 1)
        self._found.documents[name] = document
        try:
            read = MODELS[kind].model_validate(document.value)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                self._found.problems.append(_problem(name, document, kind, details))
            return None
        columns = read.model_dump()
        columns["name"] = columns["name"] or columns[kind.identity]
        if kind is Kind.TEMPLATE:
            columns["body_template"] = self._body(path, columns.pop("body_file"), document.line(("body_file",)))
        return Entry(kind, {column: columns[column] for column in kind.columns}, file=name)

    def _body(self, path: Path, name: str, line: int) -> str:
        body = path.parent / name
        if not name or "\0" in name or Path(name).is_absolute() or not self._is_within(body):
            raise _Refused(f"body_file {name!r} is not within the directory", line)
        try:
            text = self._text(body)
        except _Refused as refused:
            raise _Refused(f"body_file {name}: {refused}", line) from None
        self._bodies.add(self._name(Path(os.path.normpath(body))))
        return text.removesuffix("\n")

    def _is_within(self, path: Path) -> bool:
        """By what is there, links followed, and not by how it is spelled."""
        return path.resolve().is_relative_to(self._resolved)

    def _text(self, path: Path) -> str:
        if not self._is_within(path):
            raise _Refused("is a link out of the directory")
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise _Refused("is no file")
            if status.st_size > LONGEST_FILE_BYTES:
                raise _Refused(f"is larger than {LONGEST_FILE_BYTES:,} bytes")
            text = path.read_bytes().decode()
        except OSError as error:
            raise _Refused(f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise _Refused("is no UTF-8 text") from None
        if "\0" in text:
            raise _Refused("holds a NUL, which PostgreSQL's texts cannot")
        return text

    def _refuse_twins(self, entries: list[Entry]) -> None:
        first: dict[tuple[Kind, str, str], Entry] = {}
        for entry in entries:
            for column in dict.fromkeys((entry.kind.identity, "name")):
                key = (entry.kind, column, entry.columns[column])
                other = first.setdefault(key, entry)
                if other is not entry:
                    assert entry.file is not None
                    line = self._found.documents[entry.file].line((column,))
                    message = f"{column} {entry.columns[column]!r} is also that of {other.file}"
                    self._found.problems.append(Problem(entry.file, line, message))
                    break

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _problem(self, path: Path, line: int | None, message: str) -> None:
        self._found.problems.append(Problem(self._name(path), line, message))


def _raise(error: OSError) -> None:
    raise error


def _problem(file: str, document: Document, kind: Kind, finding: ErrorDetails) -> Problem:
    name = ".".join(map(str, finding["loc"]))
    why = why_refused(finding, given=finding["input"], known=[*MODELS[kind].model_fields])
    return Problem(file, document.line(finding["loc"]), f"{name}: {why}")
