"""What is to be done with one thing of a plan, and how a plan's lines say it."""

import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

LONGEST_VALUE = 60


class Action(StrEnum):
    """What is to be done with one of them."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REFUSED = "refused"
    """Nothing can be done before a person decides; a reason says what."""
    LEFT = "left"
    """Ours, and not wanted any more: what was asked for does not allow to take it away."""
    UNCHANGED = "unchanged"


MARKS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.DELETE: ("-", "red"),
    Action.REFUSED: ("!", "red"),
    Action.LEFT: ("?", None),
}
"""The sign before a line, and its colour."""

PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.DELETE: "deleted"}

EXIT_SOMETHING_TO_DO = 2


def counts(count: Callable[[Action], int]) -> Iterator[str]:
    """How many there are of each; of what is rare only if there is any."""
    for action, words in (
        (Action.CREATE, "to create"),
        (Action.UPDATE, "to update"),
        (Action.DELETE, "to delete"),
        (Action.UNCHANGED, "unchanged"),
    ):
        yield f"{count(action)} {words}"
    for action, words in ((Action.REFUSED, "refused"), (Action.LEFT, "left behind")):
        if number := count(action):
            yield f"{number} {words}"


def short(value: Any) -> str:
    """A value for a line: as JSON, cut."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
