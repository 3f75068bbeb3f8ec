"""``distillery deploy``: what is served follows the alias."""

from flows.console import JsonOption, err, one_clear_line, quiet_libraries, this_person
from flows.deciding import ModelArgument, show


def deploy(model: ModelArgument, json_: JsonOption = False) -> None:
    """Serve a model's champion, if it passes its gates; else put the alias back."""
    with one_clear_line():
        quiet_libraries()
        from flows.deciding import ready

        with err.status("checking the registry and the servers"):
            server = ready(model)
            from flows.deploy import deploy as flow
        with server.in_use():
            decision = flow(model, this_person())
    show(decision, as_json=json_)
