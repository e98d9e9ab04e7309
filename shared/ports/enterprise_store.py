"""Who is served, as the database knows it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServedEnterprises:
    """`digest` stands for the very same enterprises."""

    enterprise_ids: frozenset[str]
    digest: str


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """What an enterprise has of its own that concerns sending: events a second at most, None for no bound; the variable
    that holds its key to Novu, None for the deployment's key, and the one before that (`""`: the deployment's).
    """

    rate_per_second: float | None = None
    novu_key_name: str | None = None
    novu_key_before: str | None = None


NOTHING_OF_ITS_OWN = OwnSettings()


@dataclass(frozen=True, slots=True)
class ToldEnterprises:
    """Of the `unserved` nothing is to be sent; `settings` are of those that have some of their own."""

    unserved: frozenset[str] = frozenset()
    settings: Mapping[str, OwnSettings] = field(default_factory=dict)


class EnterpriseStore(Protocol):
    """Which enterprises there are, and which are not to be served. All methods raise StoreUnavailable."""

    async def served(self, listed: Collection[str] | None, seen: str | None) -> ServedEnterprises | None:
        """Those of the listed ones that are served; without a list all that are known, after noting those that have
        rows and were not known. None if they are the ones whose digest is `seen`.
        """
        ...

    async def told(self) -> ToldEnterprises:
        """What whoever sends has to know of enterprises."""
        ...
