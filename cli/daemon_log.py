"""The log of a daemon in the background: begun anew before it is too large, and the latest old ones kept."""

import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler

from cli.daemon_record import DaemonBook
from shared import json_logs

MOST_BYTES = 16 * 1024 * 1024
OLD_ONES = 4
"""So all of them together have at most 80 MB."""


def keep_small(book: DaemonBook) -> None:
    """From now on, for the process that asks: what is written to standard output goes to that file already."""
    json_logs.write_to(DaemonLog(book))


class DaemonLog(RotatingFileHandler):
    """The book's log file; opened by the book, so that it is nobody else's."""

    def __init__(self, book: DaemonBook, most_bytes: int = MOST_BYTES) -> None:
        self._book = book
        super().__init__(book.log_file, maxBytes=most_bytes, backupCount=OLD_ONES, encoding="utf-8")

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Not the library's, which renames the file under those who have it open."""
        self.flush()
        self._book.begin_log_anew(OLD_ONES)

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(os.fdopen(self._book.open_log(), "ab"), encoding="utf-8")
