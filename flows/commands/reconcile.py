"""``distillery reconcile``: every alias and what is served, once."""

import json

from flows.console import JsonOption, err, one_clear_line, out, quiet_libraries


def reconcile(json_: JsonOption = False) -> None:
    """Compare each champion with what is served, once, and close runs that were lost.

    On a server this is scheduled every minute.
    """
    with one_clear_line():
        quiet_libraries()
        from distillery import tracking
        from flows.server import server_at_hand

        with err.status("checking the registry and the servers"):
            server = server_at_hand()
            tracking.connect()
            from flows.reconcile import reconcile as flow
        with server.in_use():
            decisions = flow()
    if json_:
        out.print_json(json.dumps([decision.model_dump() for decision in decisions]))
        return
    for decision in decisions:
        out.print(decision.summary, soft_wrap=True, markup=False)
    if not decisions:
        out.print("Every champion is as it should be.")
