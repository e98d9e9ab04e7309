"""A cursor over one query parameter: the words that PostgREST's grammar is made of."""

from __future__ import annotations

from stack.edge.rest.errors import RestError, malformed


class TextCursor:
    """Reads `text` from left to right; `what` names it in error bodies."""

    def __init__(self, what: str, text: str) -> None:
        self._what = what
        self._text = text
        self._position = 0

    @property
    def rest(self) -> str:
        return self._text[self._position :]

    @property
    def at_end(self) -> bool:
        return self._position >= len(self._text)

    def error(self, expected: str) -> RestError:
        found = f'"{self.rest[0]}"' if self.rest else "end of input"
        return malformed(self._what, self._text, self._position, f"unexpected {found} expecting {expected}")

    def skip_blanks(self) -> None:
        while self.rest[:1] in {" ", "\t"}:
            self._position += 1

    def take(self, word: str) -> bool:
        """Step over `word` if it comes next."""
        if not self.rest.startswith(word):
            return False
        self._position += len(word)
        return True

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.error(f'"{word}"')

    def expect_end(self) -> None:
        if not self.at_end:
            raise self.error("end of input")

    def take_rest(self) -> str:
        rest = self.rest
        self._position = len(self._text)
        return rest

    def take_until(self, stops: str) -> str:
        """Everything up to one of the characters `stops`, or to the end."""
        start = self._position
        while not self.at_end and self._text[self._position] not in stops:
            self._position += 1
        return self._text[start : self._position]

    def field_name(self) -> str:
        """A column name: bare (letters, digits, `_`, `$`, blanks within, dashes) or double-quoted."""
        if self.rest.startswith('"'):
            return self.quoted()
        start = self._position
        while not self.at_end and self._is_name_character():
            self._position += 1
        name = self._text[start : self._position].strip()
        if not name:
            raise self.error("field name (* or [a..z0..9_$])")
        return name

    def _is_name_character(self) -> bool:
        character = self._text[self._position]
        if character == "-":
            return not self.rest.startswith("->")
        return character.isalnum() or character in "_$ "

    def quoted(self) -> str:
        """A double-quoted string in which a backslash keeps the next character."""
        self.expect('"')
        characters: list[str] = []
        while not self.take('"'):
            self.take("\\")
            if self.at_end:
                raise self.error('"\\""')
            characters.append(self._text[self._position])
            self._position += 1
        return "".join(characters)

    def element(self) -> str:
        """A value in a list: quoted, or everything up to `,` or `)`."""
        start = self._position
        if self.rest.startswith('"'):
            value = self.quoted()
            if self.at_end or self.rest[0] in ",)":
                return value
            self._position = start
        return self.take_until(",)")
