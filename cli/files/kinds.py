"""The three kinds of things that are kept in files: members as the columns are called, and who is who. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

LONGEST_NAME = 500
"""Characters of a key or a name: a worker reads none that is longer."""

DELETED = "DELETED"
"""The publish_status of what was pruned: to files as if it were not there."""


class Kind(StrEnum):
    """A kind; its value is what `notify.file_rows` calls it."""

    TEMPLATE = "template"
    WORKFLOW = "workflow"
    RULE = "rule"

    @property
    def folder(self) -> str:
        return f"{self.value}s"

    @property
    def identity(self) -> str:
        """The column by which a file finds its row, within the enterprise."""
        return _IDENTITIES[self]

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that a file decides, in the order in which it has them."""
        names = ("body_template" if name == "body_file" else name for name in MODELS[self].model_fields)
        return tuple(names)


_IDENTITIES = {Kind.TEMPLATE: "template_key", Kind.WORKFLOW: "workflow_key", Kind.RULE: "name"}

ChannelName = Literal["EMAIL", "IN_APP", "SMS", "PUSH", "CHAT"]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Object = dict[str, Any]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TemplateFile(_File):
    """templates/*.yaml; `body_file` is beside it."""

    template_key: Name
    name: Name | None = None
    description: str | None = None
    channel_type: ChannelName
    subject_template: str | None = None
    body_file: str
    variables_description: Any = None
    category: str | None = None
    publish_status: Literal["PUBLISH", "DRAFT", "DISCARD", "NONE"] = "PUBLISH"
    deactivated: bool = False


class WorkflowFile(_File):
    """workflows/*.yaml; templates stand in `template_overrides` by their keys."""

    workflow_key: Name
    name: Name | None = None
    description: str | None = None
    workflow_type: Literal["DYNAMIC", "STATIC"]
    default_channels: list[ChannelName] | None = None
    template_overrides: Object | None = None
    payload_schema: Any = None
    control_schema: Any = None
    category: str | None = None
    publish_status: Literal["PUBLISH", "DRAFT", "DISCARD", "NONE"] = "PUBLISH"
    deactivated: bool = False


class RuleFile(_File):
    """rules/*.yaml; its workflow stands there by its key."""

    name: Name
    description: str | None = None
    workflow: Name
    trigger_type: str | None = "CRON"
    trigger_config: Any = None
    rule_payload: Any = None
    publish_status: Literal["PUBLISH", "DRAFT", "DISCARD", "NONE"] = "PUBLISH"
    deactivated: bool = False


MODELS: Mapping[Kind, type[_File]] = {
    Kind.TEMPLATE: TemplateFile,
    Kind.WORKFLOW: WorkflowFile,
    Kind.RULE: RuleFile,
}

DEFAULTS: Mapping[str, Any] = {"publish_status": "PUBLISH", "deactivated": False}
"""What a file may leave out though it is not null; `name` too, where it is the key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One template, workflow or rule: of a row (`id`), or of a file (`file`, a path below the directory)."""

    kind: Kind
    columns: Mapping[str, Any]
    id: int | None = None
    file: str | None = None
    schedule_error: str | None = None

    @property
    def identity(self) -> str:
        text: str = self.columns[self.kind.identity]
        return text

    @property
    def is_active(self) -> bool:
        return self.columns["publish_status"] == "PUBLISH" and not self.columns["deactivated"]

    @property
    def is_deleted(self) -> bool:
        return bool(self.columns["publish_status"] == DELETED)

    @property
    def subject(self) -> str:
        """What messages call it."""
        return f"{self.kind.value} {self.identity}"
