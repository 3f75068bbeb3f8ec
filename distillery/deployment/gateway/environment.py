"""What of the deployer's environment reaches the processes that serve."""

from collections.abc import Mapping

_OURS_ALONE = ("AWS_", "DISTILLERY_", "MLFLOW_", "PREFECT_")


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """They need no server, no store and no cloud: neither addresses nor keys of any."""
    return {name: it for name, it in environment.items() if not name.startswith(_OURS_ALONE)}
