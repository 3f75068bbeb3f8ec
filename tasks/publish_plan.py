"""What is deleted, or would be, as a table in Prefect."""

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from distillery.housekeeping.keeping import Tidied
from distillery.report.retention import plan_rows, summary
from tasks.step import fresh_step


@fresh_step
def publish_plan(tidied: Tidied) -> None:
    """One row a thing; of very many, a count."""
    create_table_artifact(
        plan_rows(tidied.plan), key="retain", description="What goes, why, and how large it is"
    )
    create_markdown_artifact("\n\n".join(summary(tidied)), key="retain-summary")
