"""``distillery status``: everything on one screen."""


def status() -> None:
    """x"""
