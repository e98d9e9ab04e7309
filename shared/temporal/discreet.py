"""How values and failures are written for Temporal, which keeps them: of foreign exceptions, type and place."""

from dataclasses import replace

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError

from shared.exception_text import describe, is_ours, place


class DiscreetFailureConverter(DefaultFailureConverter):
    """Temporal's own, for exceptions whose text quotes nothing; the causes of each are looked at like it."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        super().to_failure(exception if is_ours(exception) else _withheld(exception), payload_converter, failure)


def _withheld(exception: BaseException) -> ApplicationError:
    """What stands for it; the type keeps its name, by which retry policies know it."""
    told = ApplicationError(
        f"{describe(exception)}{place(exception.__traceback__)}", type=type(exception).__name__
    ).with_traceback(exception.__traceback__)
    told.__cause__ = exception.__cause__
    return told


DATA_CONVERTER = replace(DataConverter.default, failure_converter_class=DiscreetFailureConverter)
"""For every client of ours."""
