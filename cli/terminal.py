"""What commands print: text that a terminal shows, and obeys in nothing.

Rows, errors of others and log lines hold whatever somebody wrote. An escape sequence among it could rename a window,
fill the clipboard or rewrite the lines before; a mark for the direction of writing could make a line read as another.
"""

import typer

_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_SHOWN = {code: f"\\u{code:04x}" for code in (*_CONTROLS, *_DIRECTIONS) if chr(code) not in "\t\n"}
"""As JSON writes them, so that an object stays one."""

_ONE_LINE = {**_SHOWN, ord("\n"): "\\n"}


_owed = False
_told: list[str] = []


def owe_object(asked: bool) -> None:
    """Note whether this command's caller waits for an object on standard output: a program that gave --json."""
    global _owed
    _owed = asked
    _told.clear()


def is_object_owed() -> bool:
    """Whether it does, and nothing was printed there yet."""
    return _owed


def told_instead() -> str:
    """What went to standard error while an object is owed."""
    return "\n".join(_told)


def say(text: str, *, err: bool = False, colour: str | None = None) -> None:
    """Print lines of ours, which may quote what others wrote; to standard error if `err`, coloured on a terminal."""
    _note(text, err)
    typer.secho(text.translate(_SHOWN), err=err, fg=colour)


def say_line(text: str, *, err: bool = False, colour: str | None = None) -> None:
    """Print one line, and no more than one whatever it quotes; coloured on a terminal only."""
    _note(text, err)
    typer.secho(text.translate(_ONE_LINE), err=err, fg=colour)


def _note(text: str, err: bool) -> None:
    if not err:
        owe_object(False)
    elif _owed:
        _told.append(text)
