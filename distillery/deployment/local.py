"""This machine: MLflow's scoring server as a managed process, blue and green."""

import errno
import json
import socket
import urllib.error
import urllib.request
from typing import Literal

from pydantic import Field

from distillery.deployment.base import DeploymentError, Observed, Place, Served
from distillery.deployment.gateway.control import Control, ControlError
from distillery.deployment.gateway.release import Release
from distillery.deployment.home import Home
from distillery.errors import UserError
from distillery.nouns import RegisteredVersion

_ASK_SECONDS = 10


class Local(Place):
    """Blue and green behind one address on loopback.

    A small gateway listens there. It runs MLflow's scoring server for the version that answers, and
    for a short time beside it for the one that is to take its place.
    """

    kind: Literal["local"] = "local"
    port: int = Field(
        default=8100, ge=1, le=65535, title="Port", description="Where requests go, on 127.0.0.1."
    )

    @property
    def address(self) -> str:
        """The same for every version."""
        return f"http://127.0.0.1:{self.port}"

    def check(self) -> None:
        """Raises ``UserError`` where the port is another program's."""
        if Home.on_port(self.port) is not None:
            return
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                why = (
                    "is taken by another program"
                    if error.errno == errno.EADDRINUSE
                    else f"cannot be listened on: {error.strerror}"
                )
                raise UserError(
                    f"deploy: port {self.port} on 127.0.0.1 {why}; choose another deploy.port"
                ) from error

    def serving(self, model: str) -> Served | None:
        """As the gateway says, asked over HTTP."""
        if Home(model).gateway(self.port) is None:
            return None
        try:
            said = json.loads(self._get("/version"))
        except (OSError, ValueError):
            return None
        return Served(address=self.address, **said)

    def deploy(self, version: RegisteredVersion) -> Served:
        """Raises ``DeploymentError`` and ``UserError``; then what was served before still is."""
        from distillery.deployment import releases

        home = Home(version.model)
        with home.locked():
            served = self.serving(version.model)
            if served is not None and _is(served, version):
                home.tidy({self.port})
                return served
            before = home.ports()
            try:
                release = releases.fetch(version, home.versions)
                self._switch(home, release, version)
            except BaseException:
                home.tidy(before or {self.port})
                raise
            home.tidy({self.port})
            served = self.serving(version.model)
            if served is None or not _is(served, version):
                raise DeploymentError(f"{self.address} does not say that {version.uri} answers")
            return served

    def observed(self, model: str) -> Observed | None:
        """Since the gateway started, from its metrics."""
        served = self.serving(model)
        if served is None:
            return None
        from distillery.deployment import metrics

        return metrics.observed(self._get("/metrics").decode(), served)

    def remove(self, model: str) -> None:
        """The gateway answers what it was asked, and ends."""
        home = Home(model)
        if home.folder.is_dir():
            with home.locked():
                home.clear()

    def _switch(self, home: Home, release: Release, version: RegisteredVersion) -> None:
        from distillery.deployment import asking, smoke

        questions = smoke.questions(version, release.candidate)
        gateway = home.gateway(self.port) or home.start_gateway(self.port)
        try:
            with Control(gateway.control) as control:
                control.try_out(release)
                self._check_version(release)
                asking.check(questions, lambda body: self._post(body, release), asking.SAME_MACHINE)
                control.switch()
        except (ControlError, DeploymentError, OSError) as error:
            raise DeploymentError(f"{version.uri} is not deployed: {error}") from error

    def _check_version(self, release: Release) -> None:
        said = json.loads(self._get("/version", release))
        if (said["version"], said["digest"]) != (release.version, release.digest):
            raise DeploymentError(f"the gateway says that it is {said}")

    def _get(self, path: str, tried: Release | None = None) -> bytes:
        return self._asked(urllib.request.Request(self.address + path), tried)  # noqa: S310

    def _post(self, body: bytes, tried: Release) -> bytes:
        request = urllib.request.Request(  # noqa: S310
            f"{self.address}/invocations", body, {"Content-Type": "application/json"}
        )
        try:
            return self._asked(request, tried)
        except urllib.error.HTTPError as error:
            raise DeploymentError(
                f"asked {body[:120]!r}, it answers {error.code}: {error.read()[:300]!r}"
            ) from error

    def _asked(self, request: urllib.request.Request, tried: Release | None) -> bytes:
        if tried is not None:
            request.add_header("X-Distillery-Digest", tried.digest)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=_ASK_SECONDS) as response:
            content: bytes = response.read()
            return content


def _is(served: Served, version: RegisteredVersion) -> bool:
    return (served.version, served.digest) == (version.version, version.candidate_digest)
