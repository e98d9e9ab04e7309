"""The counter xnovu.part.faults, as it is written to."""

from collections.abc import Mapping

import pytest


class Counted:
    """Part and exception of each fault."""

    def __init__(self) -> None:
        self.faults: list[tuple[object, object]] = []

    def add(self, amount: int, attributes: Mapping[str, object]) -> None:
        self.faults += [(attributes["xnovu.part"], attributes["error.type"])] * amount

    @classmethod
    def instead(cls, monkeypatch: pytest.MonkeyPatch) -> "Counted":
        """In the place of the real one until the end of the test."""
        counted = cls()
        monkeypatch.setattr("shared.supervision._faults", counted)
        return counted
