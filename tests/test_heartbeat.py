"""Beats until it is told to stop, and through a server's absence."""

import threading

from distillery import heartbeat


def test_it_beats_through_failures_until_it_is_stopped() -> None:
    beats: list[int] = []
    third = threading.Event()

    def beat() -> bool:
        beats.append(len(beats))
        if len(beats) == 2:
            raise ConnectionError("the server is away")
        if len(beats) == 3:
            third.set()
        return True

    heartbeat.start("run", beat, interval_seconds=0.01)
    heartbeat.start("run", beat, interval_seconds=0.01)  # once a run
    assert third.wait(10)
    heartbeat.stop("run")
    heartbeat.stop("run")
    _ended("run")


def test_it_ends_with_its_run() -> None:
    over = threading.Event()

    def beat() -> bool:
        over.set()
        return False

    heartbeat.start("other", beat, interval_seconds=1000)
    assert over.wait(10)
    _ended("other")


def _ended(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == f"heartbeat {name}":
            thread.join(10)
            assert not thread.is_alive()
