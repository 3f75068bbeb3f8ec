"""Load, check, split and clean the data."""

from distillery.data import preparation
from distillery.nouns import Dataset
from distillery.recipe import Data
from tasks.step import fresh_step, recorded


@fresh_step
def prepare_dataset(data: Data, name: str) -> Dataset:
    """Always read anew, since a source can change; equal content lands on the same digest."""
    with recorded("prepare-dataset") as run:
        dataset = preparation.store(preparation.load(data), data, name)
        run.dataset(dataset)
        run.params({"data": data.model_dump(mode="json", exclude_none=True)})
        run.tags({"digest": dataset.digest})
        run.metrics(
            {
                "rows_train": dataset.train.rows,
                "rows_validation": dataset.validation.rows,
                "rows_test": dataset.test.rows,
                "leaked_rows_removed": dataset.leaked_rows_removed,
            }
        )
    return dataset
