"""An AWS without instances: moto's server, what it lacks, and machines that run their user data.

Everything goes over HTTP through one door, which answers for the services that moto has not
(prices, quotas of EC2), breaks what a test wants broken, and passes on the rest.
"""

import base64
import contextlib
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
BUCKET = f"distillery-benchmark-{DEFAULT_ACCOUNT_ID}-{REGION}"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nobodys",
    "AWS_REGION": REGION,
}
GPU_PARAMETER = (
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
)
NEURON_PARAMETER = "/aws/service/neuron/dlami/base/ubuntu-24.04/latest/image_id"


@dataclass(frozen=True)
class Request:
    """What came to the door."""

    method: str
    path: str
    target: str
    body: bytes

    @property
    def action(self) -> str:
        """Of EC2's and STS's interface, such as ``RunInstances``; empty for others."""
        return parse_qs(self.body.decode(errors="replace")).get("Action", [""])[0]

    @property
    def parameters(self) -> dict[str, str]:
        found = parse_qs(self.body.decode(errors="replace"))
        return {key: values[0] for key, values in found.items()}


Answer = tuple[int, bytes]
Fault = Callable[[Request], "Answer | Request | None"]
"""An answer in AWS's place, a changed request, or None: not concerned."""


def ec2_error(status: int, code: str, message: str = "said the test") -> Answer:
    text = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>r</RequestID></Response>"
    )
    return status, text.encode()


@dataclass
class Cloud:
    """AWS as this machine sees it."""

    moto: ThreadedMotoServer
    url: str = ""
    quota_vcpus: int = 64
    prices: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    _image: str = ""
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str) -> Any:
        """Of a user who may do everything; made once, for making one costs more than it asks."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = boto3.client(
                    service,
                    region_name=REGION,
                    endpoint_url=self.url,
                    aws_access_key_id="nobody",
                    aws_secret_access_key="nobodys",
                )
            return self._clients[service]

    def reset(self) -> None:
        """As if nothing was ever here, but what infra/aws/benchmark.yaml makes."""
        self.quota_vcpus, self.faults, self.seen = 64, [], []
        self.prices = {"c7i.2xlarge": "0.357", "c5.9xlarge": "1.53", "inf2.xlarge": "0.7582"}
        host, port = self.moto.get_host_and_port()
        door = http.client.HTTPConnection(host, port, timeout=30)
        door.request("POST", "/moto-api/reset")
        door.getresponse().read()
        self.client("s3").create_bucket(Bucket=BUCKET)
        ec2 = self.client("ec2")
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
        ec2.create_security_group(
            GroupName="distillery-benchmark", Description="none in", VpcId=vpc["VpcId"]
        )
        self._image = ec2.describe_images()["Images"][0]["ImageId"]

    def instances(self) -> list[dict[str, Any]]:
        """All that were ever started."""
        pages = self.client("ec2").describe_instances()["Reservations"]
        return [instance for page in pages for instance in page["Instances"]]

    def states(self) -> list[str]:
        return [instance["State"]["Name"] for instance in self.instances()]

    def keys(self, prefix: str) -> list[str]:
        """What lies in the bucket."""
        found = self.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", ())]

    def answer(self, request: Request) -> Answer | Request:
        self.seen.append(request)
        for fault in self.faults:
            found = fault(request)
            if isinstance(found, Request):
                request = found
            elif found is not None:
                return found
        service, _, action = request.target.partition(".")
        asked = json.loads(request.body) if request.target else {}
        if service == "AWSPriceListService":
            wanted = {one["Field"]: one["Value"] for one in asked["Filters"]}
            return 200, json.dumps({"PriceList": self._products(wanted)}).encode()
        if service.startswith("ServiceQuotas") and action == "GetServiceQuota":
            quota = {"QuotaCode": asked["QuotaCode"], "Value": float(self.quota_vcpus)}
            return 200, json.dumps({"Quota": quota}).encode()
        if action == "GetParameter" and asked["Name"] in (GPU_PARAMETER, NEURON_PARAMETER):
            # moto has the parameters of Amazon Linux alone
            return 200, json.dumps({"Parameter": {"Value": self._image}}).encode()
        return request

    def _products(self, wanted: dict[str, str]) -> list[str]:
        """As the price list tells them: a reservation at nothing stands beside the price."""
        told = self.prices.get(wanted["instanceType"])
        if told is None or wanted["regionCode"] != REGION:
            return []
        dimensions = {
            "hour": {"unit": "Hrs", "pricePerUnit": {"USD": told}},
            "reserved": {"unit": "Hrs", "pricePerUnit": {"USD": "0.0000000000"}},
        }
        return [json.dumps({"terms": {"OnDemand": {"term": {"priceDimensions": dimensions}}}})]


@contextlib.contextmanager
def served() -> Iterator[Cloud]:
    """moto's server, and the door before it, each on a free port."""
    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    cloud = Cloud(moto=moto)
    door = ThreadingHTTPServer(("127.0.0.1", 0), _door_of(cloud))
    threading.Thread(target=door.serve_forever, daemon=True).start()
    cloud.url = f"http://127.0.0.1:{door.server_port}"
    try:
        yield cloud
    finally:
        door.shutdown()
        door.server_close()
        moto.stop()


def _door_of(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get("X-Amz-Target", "")
            found = cloud.answer(Request(self.command, self.path, target, body))
            if isinstance(found, Request):
                self._forward(found)
            else:
                status, answer = found
                self._reply(status, {"Content-Type": "application/x-amz-json-1.1"}, answer)

        def _forward(self, request: Request) -> None:
            behind = http.client.HTTPConnection(*cloud.moto.get_host_and_port(), timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "content-length"}
            headers["Content-Length"] = str(len(request.body))
            behind.request(request.method, request.path, request.body, headers)
            answer = behind.getresponse()
            content = answer.read()
            dropped = ("transfer-encoding", "connection", "date", "server")
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in dropped}
            behind.close()
            self._reply(answer.status, kept, content)

        def _reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
            if self.command != "HEAD":
                headers = {k: v for k, v in headers.items() if k.lower() != "content-length"}
                headers["Content-Length"] = str(len(content))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            return

    return Door


_SHUTDOWN = """#!/bin/bash
echo "$*" >> "$MACHINE/shutdown"
"""
# what `dnf` and `pip` would install is here already: the environment's Python is this one
_PYTHON = """#!/bin/bash
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin" && cp "$MACHINE_SHIMS/venv-python" "$3/bin/python"
  exit
fi
exec {python} "$@"
"""
_VENV_PYTHON = """#!/bin/bash
if [ "$1 $2" = "-m pip" ]; then test -s requirements.txt; exit; fi
exec {python} "$@"
"""
_UV = """#!/bin/bash
if [ "$1" = "venv" ]; then mkdir -p venv/bin && cp "$MACHINE_SHIMS/venv-python" venv/bin/python; fi
"""
_CURL = """#!/bin/bash
case "$*" in
  *astral.sh*) echo 'mkdir -p uv && cp "$MACHINE_SHIMS/uv" uv/uv' > install-uv.sh ;;
  *) exec {curl} "$@" ;;
esac
"""


@dataclass
class Machines:
    """Runs every instance that the cloud starts, as a process of bash.

    An instance shuts down as a real one would: at once, or when its timer runs out, of which a
    minute takes ``seconds_per_minute`` here; and it is terminated by that, as it was asked to be.
    """

    cloud: Cloud
    folder: Path
    seconds_per_minute: float = 60.0
    before: Callable[["Machine"], None] | None = None
    run: list["Machine"] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Machines":
        self._write_shims()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=30)
        for machine in self.run:
            machine.kill()

    @property
    def shims(self) -> Path:
        return self.folder / "shims"

    def _watch(self) -> None:
        ec2 = self.cloud.client("ec2")
        known: dict[str, Machine] = {}
        while not self._over.wait(0.2):
            for instance in self.cloud.instances():
                name, state = instance["InstanceId"], instance["State"]["Name"]
                if name not in known and state in ("pending", "running"):
                    told = ec2.describe_instance_attribute(InstanceId=name, Attribute="userData")
                    script = base64.b64decode(told["UserData"]["Value"]).decode()
                    known[name] = Machine(self, instance, script)
                    self.run.append(known[name])
                    known[name].start()
                elif name in known and state in ("shutting-down", "terminated"):
                    known[name].kill()

    def _write_shims(self) -> None:
        self.shims.mkdir(parents=True)
        python = shlex.quote(sys.executable)
        texts = {
            "shutdown": _SHUTDOWN,
            "dnf": "#!/bin/bash\n",
            "python3": _PYTHON.format(python=python),
            f"python{sys.version_info.major}.{sys.version_info.minor}": _PYTHON.format(
                python=python
            ),
            "venv-python": _VENV_PYTHON.format(python=python),
            "uv": _UV,
            "curl": _CURL.format(curl="/usr/bin/curl"),
        }
        for name, text in texts.items():
            (self.shims / name).write_text(text)
            (self.shims / name).chmod(0o755)


class Machine:
    """One instance, as a process."""

    def __init__(self, machines: Machines, instance: dict[str, Any], script: str) -> None:
        self.machines, self.instance, self.script = machines, instance, script
        self.instance_id = instance["InstanceId"]
        self.folder = machines.folder / self.instance_id
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None
        self.is_off = threading.Event()

    def start(self) -> None:
        (self.folder / "tmp").mkdir(parents=True)
        (self.folder / "shutdown").touch()
        (self.folder / "user-data").write_text(self.script)
        if self.machines.before is not None:
            self.machines.before(self)
        # no credentials of whoever rents it are here, nor anything else of this process
        environment = {
            "PATH": f"{self.machines.shims}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "MACHINE": str(self.folder),
            "MACHINE_SHIMS": str(self.machines.shims),
        }
        self._process = subprocess.Popen(
            ["bash", str(self.folder / "user-data")],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        threading.Thread(target=self._wait, daemon=True).start()
        self._set_timer()

    def _set_timer(self) -> None:
        (line,) = [one for one in self.script.splitlines() if one.startswith("shutdown")]
        minutes = int(line.rpartition("+")[2])
        self._timer = threading.Timer(minutes * self.machines.seconds_per_minute, self.power_off)
        self._timer.daemon = True
        self._timer.start()

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait()
        if "-h now" in (self.folder / "shutdown").read_text():
            self.power_off()

    def power_off(self) -> None:
        """What ``InstanceInitiatedShutdownBehavior=terminate`` makes of a shutdown."""
        self.kill()
        with contextlib.suppress(Exception):  # the cloud may be gone by now
            self.machines.cloud.client("ec2").terminate_instances(InstanceIds=[self.instance_id])
        self.is_off.set()

    def kill(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def log(self) -> str:
        """What it wrote of itself."""
        return "".join(path.read_text() for path in self.folder.glob("tmp/*/log.txt"))
