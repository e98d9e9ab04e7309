"""What `xnovu erase` did, place by place, as it was read again. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from cli.aligned import aligned

NOT_REACHED = (
    "logs, traces and metrics: they hold ids of notifications and enterprises, and nobody's (docs/security.md)",
    "Temporal's histories: they hold ids of notifications, and nobody's",
    "Novu's activity feed: it keeps events for 24 hours to 90 days, as the plan says, and cannot be told otherwise",
    "providers and mailboxes; backups of the database; the application's own tables and files of rules",
)
"""Where this command does not reach."""


@dataclass(slots=True)
class Place:
    """`left` is what was found when it was read again; None: that is not known, and `why` says why."""

    place: str
    found: int
    removed: int = 0
    left: int | None = 0
    why: str | None = None


@dataclass(slots=True)
class Receipt:
    """Of one person of one enterprise."""

    enterprise_id: str
    subscriber_id: str
    dry_run: bool
    places: list[Place]
    retracted: list[int] = field(default_factory=list)
    deactivated_rules: list[int] = field(default_factory=list)
    shared_with: list[str] = field(default_factory=list)

    @property
    def erased(self) -> bool:
        """Whether nothing was found when each place was read again."""
        return not self.dry_run and all(place.left == 0 for place in self.places)

    def as_object(self) -> dict[str, Any]:
        return {**asdict(self), "erased": self.erased, "not_reached": list(NOT_REACHED)}

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.subscriber_id} of {self.enterprise_id}"
        if self.dry_run:
            yield from aligned([("place", "found"), *((it.place, str(it.found)) for it in self.places)])
        else:
            rows = [("place", "found", "removed", "left", "")]
            for it in self.places:
                left = "?" if it.left is None else str(it.left)
                rows.append((it.place, str(it.found), str(it.removed), left, it.why or ""))
            yield from aligned(rows)
        tense = "would be " if self.dry_run else ""
        if self.retracted:
            yield f"{len(self.retracted)} notifications that were for nobody else {tense}retracted"
        if self.deactivated_rules:
            yield f"rules that were for nobody else {tense}deactivated: {', '.join(map(str, self.deactivated_rules))}"
        if self.shared_with:
            yield f"the same subscriber id is known for {', '.join(self.shared_with)}, and is one subscriber at Novu"
        for each in NOT_REACHED:
            yield f"not reached: {each}"
        if self.dry_run:
            yield "Dry run: nothing was changed."
        elif self.erased:
            yield "Erased: each place was read again, and nothing was found."
        else:
            yield "Something is left: run it again, which does no harm."
