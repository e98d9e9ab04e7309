"""What is wrong with a cron rule, in words for the person who wrote it."""

from enum import StrEnum


class CronRefusalCode(StrEnum):
    """The kinds of refusal; docs/cron.md says what to do about each."""

    NOT_TEXT = "cron_not_text"
    TOO_LONG = "cron_too_long"
    FIELD_COUNT = "cron_field_count"
    UNSUPPORTED = "cron_unsupported"
    AMBIGUOUS = "cron_ambiguous"
    SYNTAX = "cron_syntax"
    OUT_OF_RANGE = "cron_out_of_range"
    NEVER_FIRES = "cron_never_fires"
    UNKNOWN_ZONE = "cron_unknown_zone"


class CronRefused(Exception):
    """The rule can never be followed as written: `code` for programs, `message` for people."""

    def __init__(self, code: CronRefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
