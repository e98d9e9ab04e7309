"""From the key's environment to another: the workflows that XNovu keeps, and no others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.novu.api import NovuApi, NovuEnvironment, NovuFailed, at_once
from cli.novu.apply import noted_of
from cli.novu.desired import TAG, Desired
from cli.novu.plan import read_wanted
from cli.novu.rows import Noted, Scope, WorkflowRows


class UnknownEnvironment(Exception):
    """There is no such environment, or it is the key's own; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What is different in the target, of what we keep in the source: key by key, and the members that differ."""

    source: NovuEnvironment
    target: NovuEnvironment
    created: Sequence[str]
    updated: Mapping[str, Sequence[str]]
    wanted: Mapping[str, Desired] = field(default_factory=dict, repr=False)

    @property
    def keys(self) -> list[str]:
        return [*self.created, *self.updated]


async def compare(api: NovuApi, rows: WorkflowRows, name: str, scope: Scope) -> Publication:
    """Writes nothing. Raises UnknownEnvironment, NovuFailed and StoreUnavailable."""
    source = await api.my_environment()
    target = _named(name, source, await api.environments())
    wanted = await read_wanted(rows, target.id, scope)
    ours = {one.id: one.key for one in await api.list_workflows() if TAG in one.tags and one.key in wanted.dynamic}
    keys = {**ours, **{key: key for key in ours.values()}}
    created: list[str] = []
    updated: dict[str, list[str]] = {}
    for resource in await api.diff(source.id, target.id):
        key = keys.get((resource.get("sourceResource") or {}).get("id", ""))
        if resource.get("resourceType") != "workflow" or key is None:
            continue
        if resource.get("targetResource") is None:
            created.append(key)
        else:
            updated[key] = _fields(resource)
    return Publication(source, target, created, updated, wanted.dynamic)


async def publish(api: NovuApi, rows: WorkflowRows, publication: Publication) -> dict[str, NovuFailed]:
    """Carry it out; what Novu refuses, by key. Raises StoreUnavailable."""
    failed: dict[str, NovuFailed] = {}
    noted: dict[str, Noted] = {}

    async def one(key: str) -> None:
        try:
            document = await api.publish_workflow(key, publication.target.id)
        except NovuFailed as failure:
            failed[key] = failure
        else:
            noted[key] = noted_of(publication.wanted[key], document)

    try:
        await at_once(one, publication.keys)
    finally:
        await rows.note(publication.target.id, noted)
    return failed


def _named(name: str, source: NovuEnvironment, environments: Sequence[NovuEnvironment]) -> NovuEnvironment:
    others = [one for one in environments if one.id != source.id]
    found = [one for one in others if name in (one.id, one.identifier) or name.lower() == one.name.lower()]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{one.name} ({one.id})" for one in others) or "none"
    problem = "several environments are" if found else "no other environment is"
    raise UnknownEnvironment(f"{problem} called {name}; beside {source.name}, the key's own, there are: {known}")


def _fields(resource: Mapping[str, Any]) -> list[str]:
    """The names of members that differ, where Novu tells them."""
    changes = resource.get("changes") or []
    return list(dict.fromkeys(str(it.get("field") or it.get("resourceType")) for it in changes if isinstance(it, dict)))
