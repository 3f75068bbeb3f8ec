"""``python -m distillery.deployment.container``: one version in a container, on port 8080.

Knows by its environment what it serves: ``DISTILLERY_MODEL``, ``DISTILLERY_VERSION``,
``DISTILLERY_DIGEST``. The model lies in ``/opt/ml/model``, where SageMaker puts it, or is fetched
from ``DISTILLERY_MODEL_URI`` and must hash to ``DISTILLERY_MODEL_SHA256``. ``/ping`` says 200 only
once the version has answered its smoke test here: no requests are sent to one that does not.
Arguments are ignored: SageMaker gives one.
"""

import logging
import os
import signal
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from distillery import digests
from distillery.deployment import asking, aws
from distillery.deployment.base import DeploymentError
from distillery.deployment.gateway import starting
from distillery.deployment.gateway.control import Control, ControlError
from distillery.deployment.gateway.environment import without_secrets
from distillery.deployment.gateway.release import Release
from distillery.deployment.gateway.starting import NotListeningError
from distillery.errors import UserError

log = logging.getLogger(__name__)

_ASK_SECONDS = 30


def main() -> int:
    """0 when told to end, 1 where the version does not serve."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    port = int(os.environ.get("DISTILLERY_PORT", "8080"))
    host = os.environ.get("DISTILLERY_HOST", "0.0.0.0")  # noqa: S104  a container's own network
    with tempfile.TemporaryDirectory(prefix="serving-") as scratch:
        try:
            release = _release(Path(scratch))
            running, gateway = starting.start(
                Path(scratch),
                port,
                environment=without_secrets(os.environ),
                log_file=None,
                host=host,
            )
        except (DeploymentError, NotListeningError, UserError, aws.AwsError) as error:
            log.error("%s", error)
            return 1
        signal.signal(signal.SIGTERM, lambda *_: gateway.terminate())
        try:
            _begin(release, running.control, port)
        except (ControlError, DeploymentError, OSError, ValueError) as error:
            log.error("version %s does not serve: %s", release.version, error)
            gateway.terminate()
            gateway.wait()
            return 1
        return gateway.wait()


def _begin(release: Release, control_path: str, port: int) -> None:
    questions = asking.Questions.validate_json(
        (Path(release.folder).parent / "smoke.json").read_bytes()
    )

    def ask(body: bytes) -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            body,
            {"Content-Type": "application/json", "X-Distillery-Digest": release.digest},
        )
        try:
            with urllib.request.urlopen(request, timeout=_ASK_SECONDS) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise DeploymentError(f"it answers {error.code}: {error.read()[:300]!r}") from error

    with Control(control_path) as control:
        control.try_out(release)
        asking.check(questions, ask, asking.OTHER_MACHINE)
        control.switch()


def _release(scratch: Path) -> Release:
    try:
        model, version, digest = (
            os.environ[f"DISTILLERY_{name}"] for name in ("MODEL", "VERSION", "DIGEST")
        )
    except KeyError as error:
        raise UserError(
            f"{error.args[0]} is not set; the container does not know itself"
        ) from error
    uri = os.environ.get("DISTILLERY_MODEL_URI")
    folder = Path(os.environ.get("DISTILLERY_MODEL_FOLDER", "/opt/ml/model"))
    if uri:
        folder = scratch / "fetched"
        _fetch(uri, os.environ.get("DISTILLERY_MODEL_SHA256", ""), folder)
    return Release(model=model, version=version, digest=digest, folder=str(folder / "model"))


def _fetch(uri: str, sha256: str, folder: Path) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    packed = folder.with_suffix(".tar.gz")
    s3 = aws.client("s3", os.environ.get("AWS_REGION", "us-east-1"))
    with aws.told(f"fetching {uri}"):
        s3.download_file(bucket, key, str(packed))
    if digests.of_file(packed) != sha256:
        raise DeploymentError(f"{uri} is not what was deployed: it does not hash to {sha256[:12]}")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    packed.unlink()


if __name__ == "__main__":
    sys.exit(main())
