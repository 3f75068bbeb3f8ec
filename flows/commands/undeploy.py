"""``distillery undeploy``: a model is served no more."""

from flows.console import err, one_clear_line, quiet_libraries
from flows.deciding import ModelArgument


def undeploy(model: ModelArgument) -> None:
    """Serve a model no more; its versions and aliases stay. A compress run may deploy it again."""
    with one_clear_line():
        quiet_libraries()
        from distillery import tracking
        from distillery.registry import withdrawing

        tracking.connect()
        with err.status("ending what serves it"):
            withdrawing.withdraw(model)
    err.print(f"distillery: {model} is served no more", markup=False)
