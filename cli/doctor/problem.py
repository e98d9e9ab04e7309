"""What a check finds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in one line without secrets, and what to do about it.

    `subject` is what cannot be used because of it: checks that need it would only say the same again.
    """

    message: str
    hint: str
    subject: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `run` reads the settings it needs itself, and raises SettingsError if they are wrong.

    It is left out after a problem with its own subject or with one in `needs`.
    """

    name: str
    about: str
    run: Callable[[], Awaitable[list[Problem]]]
    needs: tuple[str, ...] = ()
