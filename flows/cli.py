"""The command line: one sub-command a flow, and what a person needs around it.

Exit codes: 0 promoted, 1 ran but nothing passed the gates, 2 something is yours to mend.
"""

import typer

from flows.commands.aws import aws
from flows.commands.benchmark import benchmark
from flows.commands.check import check
from flows.commands.compress import compress
from flows.commands.deploy import deploy
from flows.commands.deploy_flows import deploy_flows
from flows.commands.join import join
from flows.commands.monitor import monitor
from flows.commands.predict import predict
from flows.commands.promote import promote
from flows.commands.receive_webhooks import receive_webhooks
from flows.commands.recipes import recipes
from flows.commands.reconcile import reconcile
from flows.commands.retain import retain
from flows.commands.retrain import retrain
from flows.commands.rollback import rollback
from flows.commands.status import status
from flows.commands.ui import ui
from flows.commands.undeploy import undeploy

app = typer.Typer(
    name="distillery",
    help="Turn a large classifier into the smallest, fastest one that still passes your gates.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# one line lists each sub-command, in the order of the help
for command in (
    *(compress, benchmark, recipes, check, predict),
    *(promote, rollback, deploy, undeploy, reconcile, receive_webhooks),
    *(status, monitor, retrain, retain),
    *(join, ui, deploy_flows),
):
    app.command()(command)
app.add_typer(aws, name="aws")


if __name__ == "__main__":
    app()
