"""Rows as files see them, read and written: a method, an SQL function (docs/database_functions.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from postgrest import AsyncPostgrestClient

from cli.files.kinds import Entry, Kind
from shared.supabase.claimed_batch import TEMPLATE_REFERENCES
from shared.supabase.decoding import Unreadable, read_json
from shared.supabase.sql_function import call_function

PAGE_ROWS = {True: 50, False: 500}
"""With all that they hold: bodies are long."""

_JSON = ("variables_description", "payload_schema", "control_schema", "template_overrides", "trigger_config")


@dataclass(slots=True)
class Kept:
    """What an enterprise has. `left_out` are rows that no file can hold, each with the reason."""

    entries: list[Entry] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def of(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind is kind]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What files of an enterprise may refer to, and the keys among theirs that others hold."""

    categories: tuple[str, ...] = ()
    taken: Mapping[Kind, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """The rows of the changes, in their order; or why nothing was written: somebody else wrote meanwhile, or the
    database refused the change at `refused_at`, with `sqlstate` and the constraint's name if there is one.
    """

    ids: tuple[int, ...] = ()
    changed_meanwhile: bool = False
    refused_at: int | None = None
    sqlstate: str | None = None
    constraint: str | None = None


class FileRows:
    """Every method raises StoreUnavailable."""

    def __init__(self, client: AsyncPostgrestClient) -> None:
        self._client = client

    async def read(
        self, enterprise_ids: Sequence[str] | None, *, kinds: Sequence[Kind] = tuple(Kind), whole: bool = True
    ) -> dict[str, Kept]:
        """By enterprise, those of these or of all; not `whole`: without what is long."""
        kept: dict[str, Kept] = {}
        for kind in kinds:
            after_id = 0
            while True:
                page = await call_function(
                    self._client,
                    "file_rows",
                    p_enterprise_ids=None if enterprise_ids is None else list(enterprise_ids),
                    p_kind=kind.value,
                    p_whole=whole,
                    p_after_id=after_id,
                    p_limit=PAGE_ROWS[whole],
                )
                for row in page:
                    _keep(kept.setdefault(str(row["enterprise_id"]), Kept()), kind, row)
                if len(page) < PAGE_ROWS[whole]:
                    break
                after_id = page[-1]["id"]
        for one in kept.values():
            one.entries = _with_keys_for_ids(one.entries)
        return kept

    async def seen(self, enterprise_id: str) -> str:
        """Equal as long as nobody writes what `read` reads."""
        return str(await call_function(self._client, "files_seen", p_enterprise_id=enterprise_id))

    async def surroundings(self, enterprise_id: str, entries: Sequence[Entry]) -> Surroundings:
        keys = {kind: [entry.identity for entry in entries if entry.kind is kind] for kind in Kind}
        answer = await call_function(
            self._client,
            "file_surroundings",
            p_enterprise_id=enterprise_id,
            p_workflow_keys=keys[Kind.WORKFLOW],
            p_template_keys=keys[Kind.TEMPLATE],
        )
        return Surroundings(
            categories=tuple(answer["categories"]),
            taken={
                Kind.WORKFLOW: frozenset(answer["taken_workflow_keys"]),
                Kind.TEMPLATE: frozenset(answer["taken_template_keys"]),
            },
        )

    async def time_zones(self, enterprise_ids: Sequence[str] | None) -> Mapping[str, str]:
        """Of those of these enterprises, or of all, that have one of their own."""
        settings = await call_function(
            self._client,
            "enterprise_settings",
            p_enterprise_ids=None if enterprise_ids is None else list(enterprise_ids),
        )
        return {one: its["time_zone"] for one, its in settings.items() if "time_zone" in its}

    async def write(self, enterprise_id: str, seen: str, changes: Sequence[Mapping[str, Any]]) -> Written:
        """All changes, or none: `{"kind", "id" or null, "columns"}` each, if all is as it was seen."""
        answer = await call_function(
            self._client, "apply_files", p_enterprise_id=enterprise_id, p_seen=seen, p_changes=list(changes)
        )
        if "ids" in answer:
            return Written(ids=tuple(answer["ids"]))
        if answer.get("changed_meanwhile"):
            return Written(changed_meanwhile=True)
        refused = answer["refused"]
        return Written(
            refused_at=max(refused["position"] - 1, 0),
            sqlstate=refused["sqlstate"],
            constraint=refused["constraint"] or None,
        )


def _keep(kept: Kept, kind: Kind, row: Mapping[str, Any]) -> None:
    what = f"{kind.value} {row['id']} ({row['name']})"
    columns = {name: row.get(name) for name in kind.columns}
    if not columns[kind.identity]:
        kept.left_out.append(f"{what} has no {kind.identity}, by which a file could find it")
        return
    if kind is Kind.RULE and columns["workflow"] is None:
        kept.left_out.append(f"{what} is of a workflow of another enterprise")
        return
    try:
        for name in (*_JSON, "rule_payload"):
            if name in columns:
                columns[name] = read_json(name, columns[name])
    except Unreadable as unreadable:
        kept.left_out.append(f"{what}: {unreadable}")
        return
    overrides = columns.get("template_overrides")
    if overrides is not None and not isinstance(overrides, dict):
        kept.left_out.append(f"{what}: template_overrides is no object")
        return
    kept.entries.append(Entry(kind, columns, id=row["id"], schedule_error=row.get("schedule_error")))


def _with_keys_for_ids(entries: list[Entry]) -> list[Entry]:
    """Ids are of one database: templates that workflows name by theirs are named by their keys, where they have one."""
    templates = [entry for entry in entries if entry.kind is Kind.TEMPLATE]
    keys = {entry.identity for entry in templates}
    by_id = {str(entry.id): entry.identity for entry in templates}

    def is_id(name: str, value: Any) -> bool:
        return name in TEMPLATE_REFERENCES.values() and not (isinstance(value, str) and value in keys)

    def named(overrides: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: by_id.get(str(value), value) if is_id(name, value) else value for name, value in overrides.items()
        }

    return [
        replace(entry, columns={**entry.columns, "template_overrides": named(entry.columns["template_overrides"])})
        if entry.kind is Kind.WORKFLOW and entry.columns["template_overrides"]
        else entry
        for entry in entries
    ]
