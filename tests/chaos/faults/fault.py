"""What one kind of fault is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from tests.chaos.bed import Bed


@dataclass(frozen=True, slots=True)
class Fault:
    """`strike` draws what is to be drawn, does its harm, and returns when the cause is gone."""

    name: str
    strike: Callable[[Bed, Random], Awaitable[None]]
    where: Callable[[Bed], bool] = lambda _: True
    """Whether it makes sense on this bed."""
