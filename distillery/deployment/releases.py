"""A registered version's own bytes, downloaded and verified."""

import shutil
import tempfile
from pathlib import Path

from distillery import digests, tracking
from distillery.deployment.base import DeploymentError
from distillery.deployment.gateway.release import Release
from distillery.nouns import RegisteredVersion


def fetch(version: RegisteredVersion, folder: Path) -> Release:
    """The MLflow model in a folder of its own under ``folder``; downloaded once.

    Raises ``DeploymentError`` where its content is not what was registered, and ``UserError`` where
    the registry does not give it.
    """
    place = folder / f"{version.version}-{version.candidate_digest[:12]}"
    release = Release(
        model=version.model,
        version=version.version,
        digest=version.candidate_digest,
        folder=str(place),
    )
    if place.is_dir() and _is_whole(release):
        return release
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="new-") as fresh:
        tracking.download_model(version, Path(fresh))
        if not _is_whole(release.model_copy(update={"folder": fresh})):
            raise DeploymentError(
                f"{version.uri} does not hold what was registered: its candidate does not hash to "
                f"{version.candidate_digest[:12] or 'the digest in its tags, which it lacks'}"
            )
        shutil.rmtree(place, ignore_errors=True)
        Path(fresh).rename(place)
        Path(fresh).mkdir()  # for the context, which takes it away
    return release


def _is_whole(release: Release) -> bool:
    try:
        return digests.of_folder(release.candidate) == release.digest
    except OSError:
        return False
