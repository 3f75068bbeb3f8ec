"""Values of a table's column as texts; whatever is no text is refused, with its row.

MLflow's server answers 400 to an ``MlflowException``, with its line; to any other exception too,
but with a line that tells nothing, and a traceback.
"""

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE


class ExampleError(MlflowException, ValueError):
    """A row that holds no example; rows count from 1."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(f"row {row}: {why}", error_code=INVALID_PARAMETER_VALUE)


def texts_in(table: pd.DataFrame, name: str) -> list[str]:
    """The column's texts. Raises ``ExampleError`` for the first value that is none."""
    values = table[name].tolist()
    # MLflow makes one row of {"inputs": {"text": ["a", "b"]}}, and of {"inputs": ["a", "b"]}
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return [_text(value, row, name) for row, value in enumerate(values, start=1)]


def _text(value: object, row: int, column: str) -> str:
    # str() would make a text of anything, and a missing one would be answered as "None"
    if not isinstance(value, str):
        raise ExampleError(row, f"'{column}' holds {_shown(value)}, not a text; give a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ExampleError(
                row, f"'{column}' is not UTF-8 at character {error.start}; decode it as what it is"
            ) from error
    return value


def _shown(value: object) -> str:
    if value is None or value is pd.NA or value != value:  # NaN alone differs from itself
        return "nothing"
    return f"a value of type {type(value).__name__}"
