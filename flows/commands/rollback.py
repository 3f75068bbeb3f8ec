"""``distillery rollback``: the champion before this one."""

from flows.console import JsonOption, err, one_clear_line, quiet_libraries, this_person
from flows.deciding import ModelArgument, show


def rollback(model: ModelArgument, json_: JsonOption = False) -> None:
    """Make the version before the champion champion again, and serve it. Repeatable."""
    with one_clear_line():
        quiet_libraries()
        from distillery.registry import decisions
        from flows.deciding import ready

        with err.status("checking the registry and the servers"):
            server = ready(model)
            decisions.before_champion(model)
            from flows.rollback import rollback as flow
        with server.in_use():
            decision = flow(model, this_person())
    show(decision, as_json=json_)
