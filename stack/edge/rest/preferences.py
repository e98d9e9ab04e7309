"""The `Prefer` header, RFC 7240, with the preferences PostgREST knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stack.edge.rest.errors import invalid_preferences, not_implemented

_KNOWN = {
    "resolution": ("merge-duplicates", "ignore-duplicates"),
    "missing": ("default", "null"),
    "return": ("representation", "minimal", "headers-only"),
    "count": ("exact", "planned", "estimated"),
    "tx": ("commit", "rollback"),
    "handling": ("strict", "lenient"),
}
_UNIMPLEMENTED = frozenset({"tx=rollback"})


@dataclass(frozen=True)
class Preferences:
    resolution: str | None = None
    missing: str | None = None
    returning: str | None = None
    count: str | None = None
    handling: str | None = None
    max_affected: int | None = None

    @property
    def counts(self) -> bool:
        """Whether rows are counted. Who asks for a plan's estimate alone learns no number of what was changed."""
        return self.count in {"exact", "estimated"}

    @property
    def estimates(self) -> bool:
        return self.count in {"planned", "estimated"}

    @property
    def affected_limit(self) -> int | None:
        """How many rows may change; without `handling=strict` PostgREST pays no heed to it."""
        return self.max_affected if self.handling == "strict" else None

    def applied(self, *names: str) -> dict[str, str]:
        """The `Preference-Applied` header for those of the preferences `names` that were given."""
        values = {
            "resolution": self.resolution,
            "missing": self.missing,
            "return": self.returning,
            "count": self.count,
            "handling": self.handling,
            "max-affected": self.affected_limit,
        }
        given = [f"{name}={value}" for name, value in values.items() if name in names and value is not None]
        return {"Preference-Applied": ", ".join(given)} if given else {}


def parse_preferences(header_values: Sequence[str]) -> Preferences:
    """Of a preference given twice the first counts. Unknown ones are ignored, or PGRST122 when handling is strict."""
    tokens = [token.strip() for value in header_values for token in value.split(",") if token.strip()]
    found: dict[str, str] = {}
    max_affected: int | None = None
    unknown: list[str] = []
    for token in tokens:
        name, _, value = token.partition("=")
        if token in _UNIMPLEMENTED or name == "timezone":
            raise not_implemented(f"the preference {token}")
        if name == "max-affected":
            if not (value.isascii() and value.isdigit()):
                raise not_implemented(f"the preference {token}, which is not a whole number")
            max_affected = int(value) if max_affected is None else max_affected
        elif value in _KNOWN.get(name, ()):
            found.setdefault(name, value)
        else:
            unknown.append(token)
    if unknown and found.get("handling") == "strict":
        raise invalid_preferences(unknown)
    return Preferences(
        resolution=found.get("resolution"),
        missing=found.get("missing"),
        returning=found.get("return"),
        count=found.get("count"),
        handling=found.get("handling"),
        max_affected=max_affected,
    )
