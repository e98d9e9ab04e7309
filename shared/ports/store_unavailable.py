"""What every store raises where the database could not answer."""


class StoreUnavailable(Exception):
    """The database could not answer: a passing fault, worth trying again.

    Its message quotes no argument and no row. `code` is PostgreSQL's, PostgREST's or HTTP's, if one of them answered.
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class StoreAnswerTooLarge(StoreUnavailable):
    """The database answered, with more than anybody should hold: asking for less may do."""
