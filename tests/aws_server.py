"""AWS over HTTP: moto's server, and at its door the few calls that it lacks.

moto runs no containers and enforces no credentials. Here ``UpdateEndpoint`` and ``InvokeEndpoint``
behave as SageMaker's do, a version whose digest is in ``unhealthy`` never answers its health check,
and the stack that was to bring it goes back, as ECS' circuit breaker makes it.
"""

import io
import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

import boto3
from moto.cloudformation.models import Event, cloudformation_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sagemaker.models import sagemaker_backends
from werkzeug.serving import make_server

ACCOUNT, REGION = "123456789012", "us-east-1"
Answer = Callable[[str, bytes], bytes]
"""Digest of a version, a request → what that version answers."""


class AwsServer:
    """On a free port of loopback."""

    def __init__(self, answer: Answer) -> None:
        self.unhealthy: set[str] = set()
        self.refusal: tuple[str, str] | None = None  # AWS' code and message, whatever is asked
        self.updates: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self._answer = answer
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._application, threaded=True, request_handler=MotoRequestHandler
        )
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        }

    def reset(self) -> None:
        """A fresh account, with a bucket ``models``."""
        self.unhealthy.clear()
        self.calls.clear()
        self.updates.clear()
        self.refusal = None
        urllib.request.urlopen(f"{self.address}/moto-api/reset", data=b"").close()
        self.client("s3").create_bucket(Bucket="models")

    def network(self) -> tuple[str, tuple[str, str]]:
        """A VPC and two subnets."""
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        first, second = (
            ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"{REGION}{z}"
            )
            for i, z in enumerate("ab")
        )
        return vpc, (first["Subnet"]["SubnetId"], second["Subnet"]["SubnetId"])

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.address,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def _application(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        if length:
            environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        path = environ["PATH_INFO"]
        form = dict(urllib.parse.parse_qsl(body.decode("utf-8", errors="replace")))
        action = target.rpartition(".")[2] or form.get("Action", "")
        self.calls.append(action or path)
        if self.refusal is not None:
            code, message = self.refusal
            error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            start("403 Forbidden", [("Content-Type", "text/xml")])
            return [f"<ErrorResponse>{error}</ErrorResponse>".encode()]
        if target == "SageMaker.UpdateEndpoint":
            self.updates.append(json.loads(body))
            return _reply(start, self._update_endpoint(json.loads(body)))
        if path.startswith("/endpoints/") and path.endswith("/invocations"):
            return _reply(start, self._invoke(path.split("/")[2], body))
        if action == "UpdateStack" and self._is_unhealthy(form):
            stack = self._stack(form["StackName"])
            stack._add_stack_event("UPDATE_IN_PROGRESS")
            self._went_wrong(stack, "UPDATE_ROLLBACK_COMPLETE")
            answer = "<UpdateStackResponse><UpdateStackResult/></UpdateStackResponse>"
            start("200 OK", [("Content-Type", "text/xml")])
            return [answer.encode()]
        answered: list[bytes] = list(self._moto(environ, start))
        if action == "CreateStack" and self._is_unhealthy(form):
            self._went_wrong(self._stack(form["StackName"]), "ROLLBACK_COMPLETE")
        return answered

    def _update_endpoint(self, request: dict[str, Any]) -> bytes:
        backend = sagemaker_backends[ACCOUNT][REGION]
        endpoint: Any = backend.endpoints[request["EndpointName"]]
        name = request["EndpointConfigName"]
        config = backend.endpoint_configs[name]
        tags = {tag["Key"]: tag["Value"] for tag in config.tags}
        if tags["digest"] in self.unhealthy:
            endpoint.failure_reason = "The container did not pass the ping health check."
        else:
            endpoint.failure_reason = None
            endpoint.endpoint_config_name = name
        return json.dumps({"EndpointArn": endpoint.arn}).encode()

    def _invoke(self, name: str, body: bytes) -> bytes:
        backend = sagemaker_backends[ACCOUNT][REGION]
        config = backend.endpoint_configs[backend.endpoints[name].endpoint_config_name]
        (digest,) = (tag["Value"] for tag in config.tags if tag["Key"] == "digest")
        return self._answer(digest, body)

    def _is_unhealthy(self, form: dict[str, str]) -> bool:
        return not self.unhealthy.isdisjoint(form.values())

    def _stack(self, name: str) -> Any:
        return cloudformation_backends[ACCOUNT][REGION].get_stack(name)

    def _went_wrong(self, stack: Any, status: str) -> None:
        stack.events.append(
            Event(
                stack_id=stack.stack_id,
                stack_name=stack.name,
                logical_resource_id="Service",
                physical_resource_id="service",
                resource_type="AWS::ECS::Service",
                resource_status="UPDATE_FAILED",
                resource_status_reason="ECS Deployment Circuit Breaker was triggered",
                resource_properties=None,
            )
        )
        stack.status = status
        stack._add_stack_event(status)


def _reply(start: Callable[..., Any], content: bytes) -> list[bytes]:
    start("200 OK", [("Content-Type", "application/json")])
    return [content]
