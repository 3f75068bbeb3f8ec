"""``distillery join``: this machine lent to trainings over several nodes."""

import logging

from flows.console import err, one_clear_line, quiet_libraries


def join() -> None:
    """Lend this machine to trainings over several nodes; Ctrl-C ends it.

    For recipes with launcher.nodes above 1. Use the storage that the run itself uses: it says there
    where and when to meet.
    """
    with one_clear_line():
        quiet_libraries()
        from distillery import storage
        from distillery.launch import launching

        logging.basicConfig(format="%(message)s")
        logging.getLogger("distillery").setLevel(logging.INFO)
        err.print(f"distillery: lending this machine to trainings on {storage.ready()}")
        launching.join()
