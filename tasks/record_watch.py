"""What was seen of the served models: curves and tags in MLflow, a table and plots in Prefect."""

import base64
import re
from collections.abc import Sequence

from prefect.artifacts import create_image_artifact, create_table_artifact

from distillery.monitoring import journal
from distillery.monitoring.watching import Watched
from distillery.report.monitoring import watch_rows
from distillery.report.plots import drift
from tasks.step import fresh_step


@fresh_step
def record_watch(watched: Sequence[Watched]) -> None:
    """The last step: the next comparison begins after what is recorded here."""
    create_table_artifact(
        [row.record for one in watched for row in watch_rows(one)],
        key="monitor",
        description="What is served, held against what was learned",
    )
    for one in watched:
        png = drift.png(one)
        if png is not None:
            create_image_artifact(
                f"data:image/png;base64,{base64.b64encode(png).decode()}",
                # of keys, Prefect takes lower case letters, digits and dashes
                key=f"drift-{re.sub('[^a-z0-9]+', '-', one.model.lower())}",
                description=f"{one.model}: in training, and seen",
            )
        journal.write(one)
